"""`airflow explain`: what would run, as text; nothing is uploaded."""

from __future__ import annotations

from typing import Any

from metaflow._vendor import click

from metaflow_airflow.cli.errors import spoken


@click.command(help="Say what Airflow would run, step by step, without exporting anything.")
@click.pass_obj
def explain(obj: Any) -> None:
    """Print the plan."""
    from metaflow_airflow.cli.export import Export
    from metaflow_airflow.plan import explain as explained

    with spoken():
        export = Export(obj)
        export.read()
    obj.echo_always(explained(export.plan()), err=False)

"""`airflow explain`: what would run, as text; nothing is uploaded."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from metaflow._vendor import click

from metaflow_airflow.cli.spoken import spoken


@click.command(
    help="Say what Airflow would run, step by step, without exporting anything. What cannot run "
    "on Airflow is refused here as by create: step, decorator, reason, way out."
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.pass_obj
def explain(obj: Any, as_json: bool) -> None:
    """Print the plan."""
    from metaflow_airflow.export.exporter import Export
    from metaflow_airflow.plan.explanation import explain as explained

    with spoken():
        plan = Export(obj).plan(send_files=False)
    text = explained(plan)
    if as_json:
        parts = asdict(plan) | {"tasks": list(plan.task_ids())}
        del parts["deployment"]  # there is none yet
        text = json.dumps(parts, default=str)
    obj.echo_always(text, err=False, no_bold=True)

"""`airflow explain`: what would run, as text; nothing is uploaded."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from metaflow._vendor import click

from metaflow_airflow.cli.spoken import spoken


@click.command(
    help="Say what Airflow would run, step by step, without exporting anything. What cannot run "
    "on Airflow is refused here as by create: step, decorator, reason, way out. Where steps are "
    "pods and METAFLOW_AIRFLOW_REST_API_URL is set, that Airflow's version is asked for."
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.pass_obj
def explain(obj: Any, as_json: bool) -> None:
    """Print the plan."""
    from metaflow_airflow.airflow_api.client import AirflowClient
    from metaflow_airflow.airflow_api.settings import URL, setting
    from metaflow_airflow.export.exporter import Export
    from metaflow_airflow.plan.explanation import explain as explained

    different = ""
    with spoken():
        export = Export(obj)
        plan = export.plan(send_files=False)
        if setting(URL):
            export, different = export.suited_to(plan, AirflowClient.from_settings())
            plan = export.plan(send_files=False) if different else plan
    if different:
        obj.echo(different)
    text = explained(plan)
    if as_json:
        parts = asdict(plan) | {"tasks": list(plan.task_ids())}
        del parts["deployment"]  # there is none yet
        text = json.dumps(parts, default=str)
    obj.echo_always(text, err=False, no_bold=True)

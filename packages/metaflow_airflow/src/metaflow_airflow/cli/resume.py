"""`airflow resume`: a new run that takes over the finished tasks of another one."""

from __future__ import annotations

from typing import Any

from metaflow._vendor import click

from metaflow_airflow.cli.spoken import spoken
from metaflow_airflow.cli.start_run import announce, run_options


@click.command(
    help="Start a run that takes over what another run of the DAG has finished, and runs the rest "
    "with the code that is deployed now: fix the flow, call create, then resume. STEP_TO_RERUN "
    "and all steps after it run again, though they had finished. Parameters keep the values of "
    "that run unless --set changes them."
)
@click.argument("step-to-rerun", required=False)
@click.option(
    "--origin-run-id",
    default=None,
    help="The run to take over from (airflow-…, or Airflow's own run id); by default the newest.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Give a parameter another value, for the steps that run; repeatable.",
)
@run_options
@click.pass_obj
def resume(
    obj: Any,
    step_to_rerun: str | None,
    origin_run_id: str | None,
    changes: tuple[str, ...],
    **options: Any,
) -> None:
    """Trigger a run whose configuration names the other one."""
    from metaflow_airflow.airflow_api.client import AirflowClient
    from metaflow_airflow.airflow_api.deployments import find_deployment
    from metaflow_airflow.airflow_api.resume_conf import resume_conf
    from metaflow_airflow.airflow_api.run_conf import read_changes

    with spoken():
        client = AirflowClient.from_settings()
        record = find_deployment(client, obj.airflow.dag_id)
        changed = read_changes(record, changes)
        conf = resume_conf(client, record, origin_run_id, step_to_rerun, changed)
        announce(obj, client, conf, **options)

"""`airflow terminate, suspend, unsuspend, delete`: change a run or the deployment."""

from __future__ import annotations

from typing import Any

from metaflow._vendor import click

from metaflow_airflow.cli.authorize import authorize_option, require_token
from metaflow_airflow.cli.spoken import spoken


@click.command(help="End a run: its running steps are killed, the run is marked failed.")
@click.argument("run-id")
@authorize_option
@click.pass_obj
def terminate(obj: Any, run_id: str, authorize: str | None) -> None:
    """Mark the DAG run failed; Airflow ends its task instances."""
    from metaflow_airflow.airflow_api.client import AirflowClient
    from metaflow_airflow.airflow_api.runs import FAILED, SUCCEEDED, find_run
    from metaflow_airflow.errors import BridgeError

    with spoken():
        require_token(obj, authorize)
        client = AirflowClient.from_settings()
        run = find_run(client, obj.airflow.dag_id, run_id)
        if run.status in (SUCCEEDED, FAILED):
            raise BridgeError(f"Run {run.run_id} has ended already ({run.status}).")
        client.set_run_state(run.dag_id, run.dag_run_id, "failed")
    obj.echo(f"Run *{run.run_id}* is being ended.", bold=True)


@click.command(help="Pause the DAG: it starts no new runs and no new steps until unsuspended.")
@authorize_option
@click.pass_obj
def suspend(obj: Any, authorize: str | None) -> None:
    """Pause."""
    _pause(obj, authorize, paused=True)


@click.command(help="Unpause the DAG.")
@authorize_option
@click.pass_obj
def unsuspend(obj: Any, authorize: str | None) -> None:
    """Unpause."""
    _pause(obj, authorize, paused=False)


def _pause(obj: Any, authorize: str | None, *, paused: bool) -> None:
    from metaflow_airflow.airflow_api.client import AirflowClient
    from metaflow_airflow.airflow_api.unpause import unpause

    with spoken():
        require_token(obj, authorize)
        client = AirflowClient.from_settings()
        if paused:
            client.set_paused(obj.airflow.dag_id, True)
        elif not unpause(client, obj.airflow.dag_id):
            obj.echo(
                "Airflow has not read the DAG's file again: the last time of its schedule that it "
                "missed is run now.",
                err=True,
            )
    obj.echo(f"DAG *{obj.airflow.dag_id}* is {'paused' if paused else 'unpaused'}.", bold=True)


@click.command(
    help="Delete the DAG: its files (FILE, and those in the DAGs folder) and what Airflow recorded "
    "of its runs. Artifacts and logs in the datastore stay."
)
@click.argument("file", required=False)
@authorize_option
@click.pass_obj
def delete(obj: Any, file: str | None, authorize: str | None) -> None:
    """Remove the file first, so that Airflow does not load it again."""
    from metaflow_airflow.export import deploy

    with spoken():
        require_token(obj, authorize)
        deploy.delete(obj.airflow.dag_id, file, tell=obj.echo)
    obj.echo(f"DAG *{obj.airflow.dag_id}* is deleted.", bold=True)

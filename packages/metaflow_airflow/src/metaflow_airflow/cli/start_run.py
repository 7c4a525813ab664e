"""What `airflow trigger` and `airflow resume` share: start a run, say which."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaflow._vendor import click

if TYPE_CHECKING:
    from metaflow_airflow.airflow_api.client import AirflowClient


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a verb that starts a run."""
    for option in (
        click.option("--deployer-attribute-file", default=None, hidden=True),
        click.option("--json", "as_json", is_flag=True, help="Print the run as JSON."),
        click.option("--run-id-file", default=None, help="Write Metaflow's run id to this file."),
    ):
        command = option(command)
    return command


def announce(
    obj: Any,
    client: AirflowClient,
    conf: Mapping[str, Any],
    *,
    run_id_file: str | None,
    as_json: bool,
    deployer_attribute_file: str | None,
) -> None:
    """Start a run with this configuration; Metaflow's run id is known at once.

    Raises:
        AirflowError: Airflow did not take it.
    """
    from metaflow_airflow.airflow_api.runs import start_run

    dag_id = obj.airflow.dag_id
    run = start_run(client, dag_id, conf)
    pathspec = f"{obj.flow.name}/{run.run_id}"
    if client.dag(dag_id)["is_paused"]:
        obj.echo(f"DAG *{dag_id}* is paused: the run waits until it is unsuspended.", err=True)
    if run_id_file:
        Path(run_id_file).write_text(run.run_id)
    if deployer_attribute_file:
        answer = {"name": dag_id, "metadata": obj.metadata.metadata_str(), "pathspec": pathspec}
        Path(deployer_attribute_file).write_text(json.dumps(answer))
    url = f"{client.url}/dags/{dag_id}/runs/{run.dag_run_id}"
    if as_json:
        answer = {"dag_id": dag_id, "run_id": run.run_id}
        answer |= {"dag_run_id": run.dag_run_id, "url": url}
        obj.echo_always(json.dumps(answer), err=False, no_bold=True)
    else:
        obj.echo(f"Triggered *{pathspec}* on Airflow: {url}", bold=True)

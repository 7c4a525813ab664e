"""`airflow trigger`: start a run of the deployed flow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from metaflow import parameters
from metaflow._vendor import click

from metaflow_airflow.cli.errors import spoken


@parameters.add_custom_parameters(deploy_mode=False)
@click.command(
    help="Start a run of the deployed flow. Its parameters are options of this command; those "
    "left out take their deployed defaults. The DAG must not be paused (see unsuspend)."
)
@click.option("--run-id-file", default=None, help="Write Metaflow's run id to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the run as JSON.")
@click.option("--deployer-attribute-file", default=None, hidden=True)
@click.pass_obj
def trigger(
    obj: Any,
    run_id_file: str | None,
    as_json: bool,
    deployer_attribute_file: str | None,
    **values: Any,
) -> None:
    """Trigger through Airflow's REST API; Metaflow's run id is known at once."""
    from metaflow_airflow.deploy.rest import AirflowClient
    from metaflow_airflow.deploy.runs import new_dag_run_id
    from metaflow_airflow.runtime import ids

    dag_id, dag_run_id = obj.airflow.dag_id, new_dag_run_id()
    run_id = ids.run_id(dag_id, dag_run_id)
    pathspec = f"{obj.flow.name}/{run_id}"
    with spoken():
        client = AirflowClient.from_settings()
        client.trigger(dag_id, dag_run_id, _conf(obj.flow, values))
        if client.dag(dag_id)["is_paused"]:
            obj.echo(f"DAG *{dag_id}* is paused: the run waits until it is unsuspended.", err=True)
    if run_id_file:
        Path(run_id_file).write_text(run_id)
    if deployer_attribute_file:
        Path(deployer_attribute_file).write_text(
            json.dumps(
                {
                    "name": dag_id,
                    "metadata": obj.metadata.metadata_str(),
                    "pathspec": pathspec,
                }
            )
        )
    url = f"{client.url}/dags/{dag_id}/runs/{dag_run_id}"
    if as_json:
        answer = {"dag_id": dag_id, "run_id": run_id, "dag_run_id": dag_run_id, "url": url}
        obj.echo_always(json.dumps(answer), err=False)
    else:
        obj.echo(f"Triggered *{pathspec}* on Airflow: {url}", bold=True)


def _conf(flow: Any, values: dict[str, Any]) -> dict[str, Any]:
    """The given parameters as JSON; the deployed defaults fill in the others."""
    conf = {}
    for _, parameter in flow._get_parameters():
        if parameter.IS_CONFIG_PARAMETER:
            continue
        value = values.get(parameter.name.replace("-", "_").lower())
        if isinstance(value, parameters.DelayedEvaluationParameter):
            value = value(return_str=True)
        if value is not None:
            conf[parameter.name] = value
    return conf

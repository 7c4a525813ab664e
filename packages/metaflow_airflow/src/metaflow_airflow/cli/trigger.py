"""`airflow trigger`: start a run of the deployed flow."""

from __future__ import annotations

from copy import copy
from typing import Any

from metaflow import parameters
from metaflow._vendor import click

from metaflow_airflow.cli.spoken import spoken
from metaflow_airflow.cli.start_run import announce, run_options
from metaflow_airflow.compat.metaflow import keep_null


def parameters_as_given(command: click.Command) -> click.Command:
    """Add the flow's parameters as options that are what was given alone.

    What is deployed has defaults of its own, and knows what it needs: the file here may differ.
    """
    own = list(command.params)
    command = parameters.add_custom_parameters(deploy_mode=False)(command)
    for option in command.params:
        if option not in own:
            option.default, option.required, option.show_default = None, False, False
            if option.type.name not in ("text", "integer", "float", "boolean", "JSON", "FilePath"):
                option.type = click.STRING  # the step makes of it what the flow's own type does
            if option.type.name == "JSON":
                option.type = copy(option.type)
                keep_null(option.type)
    return command


@parameters_as_given
@click.command(
    help="Start a run of the deployed flow. Its parameters are options of this command; those "
    "left out take their deployed defaults. The DAG must not be paused (see unsuspend)."
)
@click.option(
    "--parameters-file",
    default=None,
    metavar="PATH",
    help="JSON object of parameters by name, for values that are too large for a command line.",
)
@run_options
@click.pass_obj
def trigger(
    obj: Any,
    parameters_file: str | None,
    run_id_file: str | None,
    as_json: bool,
    deployer_attribute_file: str | None,
    **values: Any,
) -> None:
    """Trigger through Airflow's REST API."""
    from metaflow_airflow.airflow_api.client import AirflowClient
    from metaflow_airflow.airflow_api.deployments import find_deployment
    from metaflow_airflow.airflow_api.run_conf import run_conf
    from metaflow_airflow.export.read_values import read_file, read_given

    with spoken():
        client = AirflowClient.from_settings()
        record = find_deployment(client, obj.airflow.dag_id)
        given = read_file(parameters_file) if parameters_file else {}
        announce(
            obj,
            client,
            run_conf(record, {**given, **read_given(obj.flow, values)}),
            run_id_file=run_id_file,
            as_json=as_json,
            deployer_attribute_file=deployer_attribute_file,
        )

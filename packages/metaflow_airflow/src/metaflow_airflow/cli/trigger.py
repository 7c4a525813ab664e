"""`airflow trigger`: start a run of the deployed flow."""

from __future__ import annotations

import math
from typing import Any

from metaflow import parameters
from metaflow._vendor import click

from metaflow_airflow.cli.spoken import spoken
from metaflow_airflow.cli.start_run import announce, run_options
from metaflow_airflow.errors import BridgeError


@parameters.add_custom_parameters(deploy_mode=False)
@click.command(
    help="Start a run of the deployed flow. Its parameters are options of this command; those "
    "left out take their deployed defaults. The DAG must not be paused (see unsuspend)."
)
@run_options
@click.pass_obj
def trigger(
    obj: Any,
    run_id_file: str | None,
    as_json: bool,
    deployer_attribute_file: str | None,
    **values: Any,
) -> None:
    """Trigger through Airflow's REST API."""
    from metaflow_airflow.airflow_api.client import AirflowClient

    with spoken():
        announce(
            obj,
            AirflowClient.from_settings(),
            _conf(obj.flow, values),
            run_id_file=run_id_file,
            as_json=as_json,
            deployer_attribute_file=deployer_attribute_file,
        )


def _conf(flow: Any, values: dict[str, Any]) -> dict[str, Any]:
    """The given parameters as JSON; the deployed defaults fill in the others.

    Raises:
        BridgeError: a number that JSON has not.
    """
    conf = {}
    for _, parameter in flow._get_parameters():
        if parameter.IS_CONFIG_PARAMETER:
            continue
        value = values.get(parameter.name.replace("-", "_").lower())
        if isinstance(value, parameters.DelayedEvaluationParameter):
            value = value(return_str=True)
        if isinstance(value, float) and not math.isfinite(value):
            raise BridgeError(
                f"Parameter *{parameter.name}*: {value} cannot be sent to Airflow, whose JSON has "
                "finite numbers only. Make it the parameter's default, and leave it out here."
            )
        if value is not None:
            conf[parameter.name] = value
    return conf

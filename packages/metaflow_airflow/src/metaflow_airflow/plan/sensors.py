"""Metaflow's Airflow sensors: what a run waits for before its start step."""

from __future__ import annotations

from metaflow_airflow.errors import BridgeError
from metaflow_airflow.graph import Decorator, Graph
from metaflow_airflow.plan.dag import Sensor

_OPERATORS = {
    "airflow_external_task_sensor": "ExternalTaskSensor",
    "airflow_s3_key_sensor": "S3KeySensor",
}
_REQUIRED = {"ExternalTaskSensor": "external_dag_id", "S3KeySensor": "bucket_key"}


def read_sensors(graph: Graph) -> tuple[Sensor, ...]:
    """The sensors of a flow, in the decorators' order.

    Raises:
        BridgeError: one without what it waits for, or two of the same name.
    """
    sensors: list[Sensor] = []
    for decorator in graph.decorators:
        if operator := _OPERATORS.get(decorator.name):
            number = sum(sensor.operator == operator for sensor in sensors) + 1
            sensors.append(_sensor(decorator, operator, number))
    names = [sensor.name for sensor in sensors]
    for name in names:
        if names.count(name) > 1 or name in graph.steps:
            raise BridgeError(f"Another sensor or step is called {name!r} too: rename the sensor.")
    return tuple(sensors)


def _sensor(decorator: Decorator, operator: str, number: int) -> Sensor:
    arguments = {k: v for k, v in decorator.attributes.items() if v is not None}
    required = _REQUIRED[operator]
    if not arguments.get(required):
        raise BridgeError(f"@{decorator.name} needs {required}: what should the run wait for?")
    name = arguments.pop("name", None) or f"{decorator.name.removeprefix('airflow_')}_{number}"
    if "description" in arguments:
        arguments["doc"] = arguments.pop("description")
    if isinstance(arguments.get("allowed_states"), str):
        arguments["allowed_states"] = [arguments["allowed_states"]]
    return Sensor(operator, name, arguments)

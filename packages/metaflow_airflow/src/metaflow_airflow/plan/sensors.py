"""Metaflow's Airflow sensors: what a run waits for before its start step."""

from __future__ import annotations

import re

from metaflow_airflow.errors import BridgeError
from metaflow_airflow.graph import Decorator, Graph
from metaflow_airflow.plan.dag import HooksTask, OutcomeTask, Sensor
from metaflow_airflow.plan.step import items_task

_OPERATORS = {
    "airflow_external_task_sensor": "ExternalTaskSensor",
    "airflow_s3_key_sensor": "S3KeySensor",
}
_TASK_ID = re.compile(r"[\w.-]{1,250}")
_REQUIRED = {"ExternalTaskSensor": "external_dag_id", "S3KeySensor": "bucket_key"}


def read_sensors(graph: Graph) -> tuple[Sensor, ...]:
    """The sensors of a flow, in the decorators' order.

    Raises:
        BridgeError: one without what it waits for, a name that is no task's id, or that another
            task has.
    """
    sensors: list[Sensor] = []
    for decorator in graph.decorators:
        if operator := _OPERATORS.get(decorator.name):
            number = sum(sensor.operator == operator for sensor in sensors) + 1
            sensors.append(_sensor(decorator, operator, number))
    names = [sensor.name for sensor in sensors]
    taken = {*graph.steps, *map(items_task, graph.steps), HooksTask.name, OutcomeTask.name}
    for name in names:
        if not _TASK_ID.fullmatch(name):
            raise BridgeError(
                f"The sensor {name[:40]!r} has a name that Airflow does not take: give it up to "
                "250 letters, digits, '_', '-' and '.'."
            )
        if names.count(name) > 1 or name in taken:
            raise BridgeError(f"Another task of the DAG is called {name!r} too: rename the sensor.")
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

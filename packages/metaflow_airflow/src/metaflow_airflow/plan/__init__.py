"""What Airflow will run: the graph as tasks. Free of Airflow, Metaflow and I/O.

Each name is loaded when it is asked for: Airflow imports this package whenever it parses a DAG, and
needs `plan.step` alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metaflow_airflow.plan.build import build_plan
    from metaflow_airflow.plan.dag import Body, Items, Parameter, Plan, Schedule, Sensor
    from metaflow_airflow.plan.step import Deployment, PlannedStep, Pod

_ROOMS = {
    "build": ("build_plan",),
    "dag": ("Body", "Items", "Parameter", "Plan", "Schedule", "Sensor"),
    "step": ("Deployment", "PlannedStep", "Pod"),
}


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{room}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Body",
    "Deployment",
    "Items",
    "Parameter",
    "Plan",
    "PlannedStep",
    "Pod",
    "Schedule",
    "Sensor",
    "build_plan",
]

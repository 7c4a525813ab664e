"""What Airflow will run: the graph as tasks. Free of Airflow, Metaflow and I/O.

`build_plan` is loaded when it is asked for: Airflow imports this package whenever it parses a DAG,
and needs the model alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from metaflow_airflow.plan.model import (
    Body,
    Deployment,
    Items,
    Parameter,
    Plan,
    PlannedStep,
    Pod,
    Schedule,
    Sensor,
)

if TYPE_CHECKING:
    from metaflow_airflow.plan.build import build_plan


def __getattr__(name: str) -> Any:
    if name != "build_plan":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.build").build_plan


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

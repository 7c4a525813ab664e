"""What Airflow will run: the graph as tasks. Free of Airflow, Metaflow and I/O."""

from metaflow_airflow.plan.build import build_plan
from metaflow_airflow.plan.explain import explain
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
    "explain",
]

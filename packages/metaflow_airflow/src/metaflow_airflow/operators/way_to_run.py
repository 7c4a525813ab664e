"""Which operator runs a step: a process on a worker, a pod of the triggerer, a pod of a worker."""

from __future__ import annotations

from typing import Any

from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.operators.process import MetaflowProcessOperator


def way_to_run(
    definition: StepDefinition, *, pods_on: str, conn_id: str
) -> tuple[type[Any], dict[str, Any]]:
    """The operator's class, and its arguments besides those that every operator has.

    Args:
        pods_on: who waits for pods. conn_id: the Airflow connection to the cluster.
    """
    arguments: dict[str, Any] = {"definition": definition}
    if definition.step.pod is None:
        return MetaflowProcessOperator, arguments
    # Most flows have no pods, and parsing happens often.
    if pods_on == "worker":
        from metaflow_airflow.operators.pod_worker import MetaflowPodWorkerOperator

        return MetaflowPodWorkerOperator, arguments | {"conn_id": conn_id}
    from metaflow_airflow.operators.pod_triggerer import MetaflowPodOperator, start_arguments

    return MetaflowPodOperator, arguments | start_arguments(definition, conn_id)

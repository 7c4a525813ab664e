"""What cannot run on Airflow, said when the flow is compiled: step, decorator, reason, way out."""

from __future__ import annotations

from metaflow_airflow.errors import NotSupportedError
from metaflow_airflow.graph import Graph, Step

_STEP_DECORATORS = {
    "parallel": "Airflow has no gang of tasks that run at the same time and know each other",
    "batch": "steps run as processes on a worker, or as pods with @kubernetes; use that instead",
    "slurm": "steps run as processes on a worker, or as pods with @kubernetes; use that instead",
}
_FLOW_DECORATORS = {
    "trigger": "give the DAG a schedule, or trigger it from the DAG that publishes the data",
    "trigger_on_finish": "trigger the DAG from the DAG that it waits for",
}


def refuse(graph: Graph) -> None:
    """Raise for the first thing in the graph that cannot be exported.

    Raises:
        NotSupportedError: naming step, decorator and reason.
    """
    for name, reason in _FLOW_DECORATORS.items():
        if graph.decorator(name):
            raise NotSupportedError(
                f"@{name} on flow *{graph.flow}* is not supported on Airflow: {reason}."
            )
    for step in graph.steps.values():
        _refuse_step(step)


def _refuse_step(step: Step) -> None:
    if step.parallel:
        raise NotSupportedError(
            f"Step *{step.name}* (line {step.line}) runs in parallel (num_parallel, @parallel), "
            f"which is not supported on Airflow: {_STEP_DECORATORS['parallel']}. Use a foreach."
        )
    for name, reason in _STEP_DECORATORS.items():
        if step.decorator(name):
            raise NotSupportedError(
                f"@{name} on step *{step.name}* (line {step.line}) is not supported on Airflow: "
                f"{reason}."
            )

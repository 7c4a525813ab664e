"""What cannot run on Airflow, said when the flow is compiled: step, decorator, reason, way out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TypeVar

from metaflow_airflow.errors import BridgeError, NotSupportedError
from metaflow_airflow.graph import Graph, Step
from metaflow_airflow.plan.step import Deployment, Pod, items_task

_STEP_DECORATORS = {
    "parallel": "Airflow has no gang of tasks that run at the same time and know each other",
    "batch": "steps run as processes on a worker, or as pods with @kubernetes; use that instead",
    "slurm": "steps run as processes on a worker, or as pods with @kubernetes; use that instead",
    "unbounded_test_foreach_internal": "a foreach without an end has no list to map over",
}
_ID_LENGTH = 250  # characters that Airflow takes for the id of a DAG or a task

_T = TypeVar("_T")


class Refusals:
    """Collects all that cannot run, so that one message says it."""

    def __init__(self) -> None:
        self._found: list[BridgeError] = []

    def add(self, found: Iterable[BridgeError]) -> None:
        """Take note of what cannot run; nothing is said twice."""
        said = {str(each) for each in self._found}
        self._found += [each for each in found if str(each) not in said]

    def of(self, read: Callable[[], _T], instead: _T) -> _T:
        """What `read` gives; `instead` where it refuses, which is noted."""
        try:
            return read()
        except BridgeError as error:
            self.add([error])
            return instead

    def say(self) -> None:
        """Raise what was found.

        Raises:
            BridgeError: the one reason, or all of them, a line each.
        """
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            lines = "".join(f"\n- {each}" for each in self._found)
            raise NotSupportedError(
                f"The flow cannot run on Airflow, for {len(self._found)} reasons:{lines}"
            )


def refuse_graph(graph: Graph) -> Iterator[BridgeError]:
    """What in the graph cannot be exported, by step, decorator and reason."""
    for step in graph.steps.values():
        yield from _refuse_step(step)


def _refuse_step(step: Step) -> Iterator[BridgeError]:
    if step.parallel:
        yield NotSupportedError(
            f"Step *{step.name}* (line {step.line}) runs in parallel (num_parallel, @parallel), "
            f"which is not supported on Airflow: {_STEP_DECORATORS['parallel']}. Use a foreach."
        )
        return
    for name, reason in _STEP_DECORATORS.items():
        if step.decorator(name):
            yield NotSupportedError(
                f"@{name} on step *{step.name}* (line {step.line}) is not supported on Airflow: "
                f"{reason}."
            )


def refuse_names(graph: Graph, dag_id: str, collected: Collection[str]) -> Iterator[BridgeError]:
    """Names that are too long for Airflow's ids.

    Args:
        collected: the foreach steps whose items a task of its own collects.
    """
    if len(dag_id) > _ID_LENGTH:
        yield BridgeError(
            f"The DAG's id {dag_id[:40]}… has {len(dag_id)} characters; Airflow takes "
            f"{_ID_LENGTH}. Give a shorter --name, @project name or --branch."
        )
    for step in graph.steps.values():
        longest = items_task(step.name) if step.name in collected else step.name
        if (more := len(longest) - _ID_LENGTH) > 0:
            yield BridgeError(
                f"Step *{step.name[:40]}…* (line {step.line}) has a name of {len(step.name)} "
                f"characters; Airflow takes {len(step.name) - more} for it. Give it a shorter one."
            )


def refuse_pods(pods: Mapping[str, Pod | None], deployment: Deployment) -> Iterator[BridgeError]:
    """What steps in pods cannot have of the deployment."""
    running = {name: pod for name, pod in pods.items() if pod}
    if running and deployment.connection:
        yield BridgeError(
            f"--connection {deployment.connection}: step *{next(iter(running))}* runs in a pod, "
            "which an Airflow connection cannot reach. Give pods their credentials by a Kubernetes "
            "secret (@kubernetes(secrets=[...]), METAFLOW_KUBERNETES_SECRETS) or a service account."
        )
    alone = [name for name, pod in running.items() if not pod.volumes]
    local = {
        "metadata": "--metadata=local" in deployment.options
        and "--metadata=service (METAFLOW_SERVICE_URL)",
        "datastore": deployment.datastore == "local" and "--datastore=s3|azure|gs",
    }
    for what, instead in local.items():
        if alone and instead:
            yield BridgeError(
                f"Step *{alone[0]}* runs in a pod, which shares no folder with others for *local* "
                f"{what}. Export with {instead}, or mount a shared volume "
                "(persistent_volume_claims) as METAFLOW_DATASTORE_SYSROOT_LOCAL."
            )

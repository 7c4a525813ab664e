"""The pods of a DAG, and which of them nobody waits for, by Kubernetes' own client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from metaflow_airflow.errors import BridgeError
from metaflow_airflow.pods.names import MANAGED_BY, SITE_LABEL, described

# In these Airflow waits for a pod.
_WAITING = ("deferred", "running", "queued", "scheduled", "restarting")


@dataclass(frozen=True)
class FoundPod:
    """A step's pod.

    Args:
        task: task instance, with its map index. site: whose it is, an Airflow installation's.
        orphan: it is this Airflow's, and nobody waits for it.
    """

    name: str
    namespace: str
    phase: str
    dag_run_id: str
    task: str
    try_number: int
    orphan: bool
    site: str
    uid: str


def find_pods(
    listed: Iterable[Any],
    dag_id: str,
    site: str | None,
    state_of: Callable[[str, str, int], tuple[str, int] | None],
) -> Iterator[FoundPod]:
    """The pods of a DAG among those of a namespace.

    Args:
        listed: as Kubernetes' client gives them.
        site: whose pods may be orphans; None for nobody's.
        state_of: state and try number of a task instance, by run, task and map index.
    """
    for pod in listed:
        said = described(pod.metadata.annotations or {})
        if said["dag_id"] != dag_id:
            continue
        number, index = int(said["try_number"]), int(said["map_index"])
        state = state_of(said["dag_run_id"], said["task_id"], index)
        theirs = (pod.metadata.labels or {}).get(SITE_LABEL, "")
        is_waited_for = state is not None and state[0] in _WAITING and state[1] == number
        yield FoundPod(
            name=pod.metadata.name,
            namespace=pod.metadata.namespace,
            phase=pod.status.phase,
            dag_run_id=said["dag_run_id"],
            task=said["task_id"] if index < 0 else f"{said['task_id']}[{index}]",
            try_number=number,
            orphan=theirs == site and not is_waited_for,
            site=theirs,
            uid=pod.metadata.uid,
        )


def delete_pod(core: Any, pod: FoundPod) -> None:
    """Delete that pod, and no other that has its name meanwhile.

    Raises:
        BridgeError: the cluster does not.
    """
    from kubernetes.client import ApiException

    try:
        core.delete_namespaced_pod(
            pod.name, pod.namespace, body={"preconditions": {"uid": pod.uid}}
        )
    except ApiException as error:
        if error.status not in (404, 409):
            raise BridgeError(
                f"The cluster does not delete pod {pod.name}: {error.reason}."
            ) from error


def list_pods(core: Any, namespace: str) -> list[Any]:
    """The pods of this bridge in a namespace, whichever Airflow's.

    Raises:
        BridgeError: the cluster does not say.
    """
    from kubernetes.client import ApiException

    selector = ",".join(f"{key}={value}" for key, value in MANAGED_BY.items())
    try:
        return list(core.list_namespaced_pod(namespace, label_selector=selector).items)
    except ApiException as error:
        raise BridgeError(
            f"The cluster does not list the pods of namespace {namespace}: {error.reason}. "
            "Choose another with --namespace, or another kubeconfig with KUBECONFIG."
        ) from error

"""`airflow pods`: the flow's pods in the cluster, and which of them nobody waits for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from metaflow._vendor import click

from metaflow_airflow.cli.spoken import spoken
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.pods.names import MANAGED_BY, described

if TYPE_CHECKING:
    from metaflow_airflow.airflow_api.client import AirflowClient

# In these Airflow waits for a pod.
_WAITING = ("deferred", "running", "queued", "scheduled", "restarting")


@dataclass(frozen=True)
class FoundPod:
    """A step's pod. task: task instance, with its map index; orphan: nobody waits for it."""

    name: str
    namespace: str
    phase: str
    dag_run_id: str
    task: str
    try_number: int
    orphan: bool


@click.command(
    help="The pods of this flow in the cluster that kubectl would ask. An orphan is a pod that no "
    "task instance waits for any more; the triggerer removes its own by itself, this command those "
    "of an Airflow that is gone."
)
@click.option("--namespace", default=None, help="By default METAFLOW_KUBERNETES_NAMESPACE.")
@click.option("--remove-orphans", is_flag=True, help="Delete the orphans.")
@click.option("--json", "as_json", is_flag=True, help="Print the pods as JSON.")
@click.pass_obj
def pods(obj: Any, namespace: str | None, remove_orphans: bool, as_json: bool) -> None:
    """Print a line a pod; delete the orphans when asked to."""
    from metaflow.metaflow_config import KUBERNETES_NAMESPACE
    from metaflow.plugins.kubernetes.kubernetes_client import KubernetesClient

    from metaflow_airflow.airflow_api.client import AirflowClient

    dag_id = obj.airflow.dag_id
    core = KubernetesClient().get().CoreV1Api()
    with spoken():
        listed = _listed(core, namespace or KUBERNETES_NAMESPACE)
        found = list(find_pods(listed, dag_id, _task_states(AirflowClient.from_settings(), dag_id)))
        for pod in found if remove_orphans else ():
            if pod.orphan:
                core.delete_namespaced_pod(pod.name, pod.namespace)
    if as_json:
        obj.echo_always(json.dumps([asdict(pod) for pod in found]), err=False)
    elif not found:
        obj.echo(f"*{dag_id}* has no pods.")
    for pod in () if as_json else found:
        fate = ("deleted" if remove_orphans else "orphan") if pod.orphan else ""
        line = f"{pod.name}  {pod.phase:<9}  {pod.task:<24}  {pod.dag_run_id}  {fate}"
        obj.echo_always(line.rstrip(), err=False)


def find_pods(
    listed: Iterable[Any], dag_id: str, state_of: Callable[[str, str, int], tuple[str, int] | None]
) -> Iterator[FoundPod]:
    """The pods of a DAG among those of a namespace.

    Args:
        listed: as Kubernetes' client gives them.
        state_of: state and try number of a task instance, by run, task and map index.
    """
    for pod in listed:
        said = described(pod.metadata.annotations or {})
        if said["dag_id"] != dag_id:
            continue
        number, index = int(said["try_number"]), int(said["map_index"])
        state = state_of(said["dag_run_id"], said["task_id"], index)
        yield FoundPod(
            name=pod.metadata.name,
            namespace=pod.metadata.namespace,
            phase=pod.status.phase,
            dag_run_id=said["dag_run_id"],
            task=said["task_id"] if index < 0 else f"{said['task_id']}[{index}]",
            try_number=number,
            orphan=state is None or state[0] not in _WAITING or state[1] != number,
        )


def _listed(core: Any, namespace: str) -> list[Any]:
    from kubernetes.client import ApiException

    selector = ",".join(f"{key}={value}" for key, value in MANAGED_BY.items())
    try:
        return list(core.list_namespaced_pod(namespace, label_selector=selector).items)
    except ApiException as error:
        raise BridgeError(
            f"The cluster does not list the pods of namespace {namespace}: {error.reason}. "
            "Choose another with --namespace, or another kubeconfig with KUBECONFIG."
        ) from error


def _task_states(
    client: AirflowClient, dag_id: str
) -> Callable[[str, str, int], tuple[str, int] | None]:
    runs: dict[str, dict[tuple[str, int], tuple[str, int]]] = {}

    def state_of(run_id: str, task_id: str, index: int) -> tuple[str, int] | None:
        if run_id not in runs:
            runs[run_id] = _states_of_run(client, dag_id, run_id)
        return runs[run_id].get((task_id, index))

    return state_of


def _states_of_run(
    client: AirflowClient, dag_id: str, run_id: str
) -> dict[tuple[str, int], tuple[str, int]]:
    if run_id not in {run["dag_run_id"] for run in client.runs(dag_id)}:
        return {}  # deleted, or another Airflow's
    return {
        (each["task_id"], each["map_index"]): (str(each["state"]), each["try_number"])
        for each in client.task_instances(dag_id, run_id)
    }

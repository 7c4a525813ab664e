"""`airflow pods`: the flow's pods in the cluster, and which of them nobody waits for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from metaflow._vendor import click

from metaflow_airflow.cli.spoken import spoken
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.pods.names import (
    MANAGED_BY,
    SITE_LABEL,
    SITE_VARIABLE,
    described,
    site_label,
)

if TYPE_CHECKING:
    from metaflow_airflow.airflow_api.client import AirflowClient

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


@click.command(
    help="The pods of this flow in the cluster that kubectl would ask. An orphan is a pod that no "
    "task instance waits for any more; the triggerer removes its own by itself, this command those "
    "of an Airflow that is gone. Pods of another Airflow are left alone."
)
@click.option("--namespace", default=None, help="By default METAFLOW_KUBERNETES_NAMESPACE.")
@click.option("--remove-orphans", is_flag=True, help="Delete the orphans.")
@click.option(
    "--site",
    default=None,
    help=f"Whose pods, as their label {SITE_LABEL} says; by default those of the Airflow that is "
    "asked. Of an Airflow that is gone all are orphans.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the pods as JSON.")
@click.pass_obj
def pods(
    obj: Any, namespace: str | None, remove_orphans: bool, site: str | None, as_json: bool
) -> None:
    """Print a line a pod; delete the orphans when asked to."""
    from metaflow.metaflow_config import KUBERNETES_NAMESPACE
    from metaflow.plugins.kubernetes.kubernetes_client import KubernetesClient

    from metaflow_airflow.airflow_api.client import AirflowClient

    dag_id = obj.airflow.dag_id
    core = KubernetesClient().get().CoreV1Api()
    with spoken():
        client = AirflowClient.from_settings()
        site = site or _site(client)
        listed = _listed(core, namespace or KUBERNETES_NAMESPACE)
        found = list(find_pods(listed, dag_id, site, _task_states(client, dag_id)))
        for pod in found if remove_orphans else ():
            if pod.orphan:
                _delete(core, pod)
    if as_json:
        obj.echo_always(json.dumps([asdict(pod) for pod in found]), err=False)
    elif not found:
        obj.echo(f"*{dag_id}* has no pods.")
    for pod in () if as_json else found:
        line = f"{pod.name}  {pod.phase:<9}  {pod.task:<24}  {pod.dag_run_id}"
        obj.echo_always(f"{line}  {_fate(pod, site, removed=remove_orphans)}".rstrip(), err=False)


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


def _fate(pod: FoundPod, site: str | None, *, removed: bool) -> str:
    if pod.site != site:
        return f"another Airflow's: --site {pod.site}"
    return ("deleted" if removed else "orphan") if pod.orphan else ""


def _site(client: AirflowClient) -> str | None:
    """That of the Airflow that is asked; None while it has had no pod."""
    from metaflow_airflow.airflow_api.client import AirflowError, NotFoundError

    try:
        return site_label(client.variable(SITE_VARIABLE))
    except NotFoundError:
        return None
    except AirflowError as error:
        raise BridgeError(
            f"Airflow's variable {SITE_VARIABLE}, by which its pods are known, cannot be read: "
            f"{error} Say whose pods you mean with --site."
        ) from error


def _delete(core: Any, pod: FoundPod) -> None:
    from kubernetes.client import ApiException

    try:
        # That pod, and no other that has its name meanwhile.
        core.delete_namespaced_pod(
            pod.name, pod.namespace, body={"preconditions": {"uid": pod.uid}}
        )
    except ApiException as error:
        if error.status not in (404, 409):
            raise BridgeError(
                f"The cluster does not delete pod {pod.name}: {error.reason}."
            ) from error


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

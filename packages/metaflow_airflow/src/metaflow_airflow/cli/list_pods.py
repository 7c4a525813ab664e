"""`airflow pods`: the flow's pods in the cluster, and which of them nobody waits for."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from metaflow._vendor import click

from metaflow_airflow.cli.spoken import spoken
from metaflow_airflow.pods.names import SITE_LABEL

if TYPE_CHECKING:
    from metaflow_airflow.pods.orphans import FoundPod


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
    from metaflow_airflow.airflow_api.task_states import site_of, task_states
    from metaflow_airflow.pods.orphans import delete_pod, find_pods, list_pods

    dag_id = obj.airflow.dag_id
    core = KubernetesClient().get().CoreV1Api()
    with spoken():
        client = AirflowClient.from_settings()
        site = site or site_of(client)
        listed = list_pods(core, namespace or KUBERNETES_NAMESPACE)
        found = list(find_pods(listed, dag_id, site, task_states(client, dag_id)))
        for pod in found if remove_orphans else ():
            if pod.orphan:
                delete_pod(core, pod)
    if as_json:
        obj.echo_always(json.dumps([asdict(pod) for pod in found]), err=False)
    elif not found:
        obj.echo(f"*{dag_id}* has no pods.")
    for pod in () if as_json else found:
        line = f"{pod.name}  {pod.phase:<9}  {pod.task:<24}  {pod.dag_run_id}"
        obj.echo_always(f"{line}  {_fate(pod, site, removed=remove_orphans)}".rstrip(), err=False)


def _fate(pod: FoundPod, site: str | None, *, removed: bool) -> str:
    if pod.site != site:
        return f"another Airflow's: --site {pod.site}"
    return ("deleted" if removed else "orphan") if pod.orphan else ""

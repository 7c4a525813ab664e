"""A step as a pod that a worker waits for, with Airflow's own KubernetesPodOperator.

For sites that want it so: the same pod, arguments and result as from the triggerer, but each pod
holds a worker for as long as it runs.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from metaflow_airflow.compat.airflow import AirflowException
from metaflow_airflow.operators.base import MetaflowStepOperator
from metaflow_airflow.operators.links import POD_LINKS, pod_link
from metaflow_airflow.wire.exit_codes import MISCONFIGURED, UNAVAILABLE
from metaflow_airflow.wire.task import StepResult, StepTask

if TYPE_CHECKING:
    from airflow.sdk import Context

    from metaflow_airflow.pods import reasons

_GRACE = 60  # seconds that Metaflow's own timeout has before Kubernetes ends the pod
_START_SECONDS = 600


class MetaflowPodWorkerOperator(MetaflowStepOperator):
    """Runs the step in a pod and waits for it.

    Args:
        conn_id: the Airflow connection to the cluster.
    """

    ui_color = "#e4ecf7"
    operator_extra_links = POD_LINKS

    def __init__(self, *, conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self._pod: Any = None

    def run_step(self, task: StepTask, context: Context) -> StepResult:
        """Run the pod to its end; its lines go to the task's log."""
        # Parsing a DAG file needs none of it.
        from metaflow_airflow.compat.airflow import configured_pod_operator, map_index_of
        from metaflow_airflow.pods import reasons
        from metaflow_airflow.pods.bounds import Bounds, OutOfBoundsError
        from metaflow_airflow.pods.containers import CONTAINER
        from metaflow_airflow.pods.names import PodIdentity
        from metaflow_airflow.pods.spec import manifest

        pod, ti, step = self.definition.step.pod, context["ti"], self.definition.step
        if pod is None:
            raise ValueError(f"step {step} has no pod")
        identity = PodIdentity(
            site="",  # no triggerer follows it
            dag_id=ti.dag_id,
            dag_run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=map_index_of(ti),
            try_number=ti.try_number,
            key=str(ti.id),
        )
        namespace = pod.namespace or self._namespace()
        self.links |= pod_link(namespace, identity.name)
        described = manifest(
            pod,
            task,
            name=identity.name,
            namespace=namespace,
            # Not those by which triggerers know their own: they would sweep it away.
            labels={},
            annotations=identity.annotations,
            deadline=step.seconds + _GRACE if step.seconds else None,
        )
        try:
            described = Bounds.from_environment(os.environ).applied(described)
        except OutOfBoundsError as error:
            sentence = f"Step {task.pathspec} got no pod: {error}."
            return StepResult(ok=False, exit_code=MISCONFIGURED, error=sentence)
        self._pod, last_seen = configured_pod_operator(
            described,
            task_id=self.task_id,
            name=identity.name,
            namespace=namespace,
            kubernetes_conn_id=self.conn_id,
            base_container_name=CONTAINER,
            startup_timeout_seconds=_START_SECONDS,
        )
        problem = ""
        try:
            self._pod.execute(context)
        except AirflowException as error:
            problem = str(error)
        found = last_seen()
        if found is None:
            return StepResult(ok=False, exit_code=UNAVAILABLE, error=problem, infrastructure=True)
        ending = reasons.ending(found, [], []) or reasons.vanished(found)
        if ending.ok and ending.result is not None:
            return ending.result
        self.log.error("%s", ending.sentence)
        return StepResult(
            ok=False,
            exit_code=ending.result.exit_code if ending.result else _exit_code(ending),
            error=ending.sentence,
            infrastructure=ending.infrastructure or None,
        )

    def on_kill(self) -> None:
        """Delete the pod."""
        if self._pod is not None:
            self._pod.on_kill()

    def _namespace(self) -> str:
        from airflow.sdk import Connection

        try:
            extra = Connection.get(self.conn_id).extra_dejson
        except Exception as error:  # noqa: BLE001 - each backend has its own for "no such"
            self.log.info("No connection %s (%s): namespace default", self.conn_id, error)
            return "default"
        return str(extra.get("namespace") or "default")


def _exit_code(ending: reasons.Ending) -> int:
    return UNAVAILABLE if ending.retry else MISCONFIGURED

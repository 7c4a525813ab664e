"""A step's pod as Kubernetes' API takes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metaflow_airflow.plan.step import Pod
from metaflow_airflow.pods.command import TASK_VARIABLE, TERMINATION_LOG, container_command
from metaflow_airflow.pods.containers import CONTAINER
from metaflow_airflow.pods.room import NEEDS_ANNOTATION, needs
from metaflow_airflow.wire.payload import pack
from metaflow_airflow.wire.task import StepTask

_DEADLINE = 5 * 24 * 3600  # Metaflow's own for a step without @timeout
_MOST_SECONDS = 2**31 - 1  # that Kubernetes takes; a loop has the deadline of all its iterations
_GRACE = 30
_START_SECONDS = 600  # for its image to come: Kubernetes counts from when the node took the pod
# What Kubernetes' standard "restricted" asks of a container. The user is the image's.
_SECURITY = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
_FIELDS = {
    "METAFLOW_KUBERNETES_POD_NAMESPACE": "metadata.namespace",
    "METAFLOW_KUBERNETES_POD_NAME": "metadata.name",
    "METAFLOW_KUBERNETES_POD_ID": "metadata.uid",
    "METAFLOW_KUBERNETES_SERVICE_ACCOUNT_NAME": "spec.serviceAccountName",
    "METAFLOW_KUBERNETES_NODE_IP": "status.hostIP",
}


def manifest(
    pod: Pod,
    task: StepTask,
    *,
    name: str,
    namespace: str,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    deadline: int | None,
) -> dict[str, Any]:
    """The pod.

    Args:
        deadline: seconds that the step may run. Kubernetes ends the pod then, start included, also
            when Airflow is gone.

    Raises:
        TaskFormatError: the task is too large for a container's environment.
    """
    described = _pod(pod, task, deadline)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {
                **pod.labels,
                "app.kubernetes.io/name": "metaflow-task",
                "app.kubernetes.io/part-of": "metaflow",
                **labels,
            },
            "annotations": {
                **pod.annotations,
                "metaflow/flow_name": task.flow,
                "metaflow/run_id": task.run_id,
                "metaflow/step_name": task.step,
                "metaflow/task_id": task.task_id,
                "metaflow/attempt": str(task.attempt),
                "metaflow/user": task.owner,
                NEEDS_ANNOTATION: needs(described),
                **annotations,
            },
        },
        "spec": described,
    }


def _pod(pod: Pod, task: StepTask, deadline: int | None) -> dict[str, Any]:
    return _without_empty(
        {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": _active_seconds(deadline),
            "terminationGracePeriodSeconds": _GRACE,
            "automountServiceAccountToken": bool(pod.service_account),
            "enableServiceLinks": False,
            "serviceAccountName": pod.service_account,
            "nodeSelector": dict(pod.node_selector),
            "tolerations": [_camel(each) for each in pod.tolerations],
            "imagePullSecrets": [{"name": each} for each in pod.pull_secrets],
            # For containers that a cluster adds as well; their users are theirs.
            "securityContext": {"seccompProfile": _SECURITY["seccompProfile"]},
            "volumes": [volume for volume, _ in _volumes(pod)],
            "containers": [_container(pod, task)],
        }
    )


def _active_seconds(deadline: int | None) -> int:
    return min(deadline + _START_SECONDS, _MOST_SECONDS) if deadline else _DEADLINE


def _container(pod: Pod, task: StepTask) -> dict[str, Any]:
    return _without_empty(
        {
            "name": CONTAINER,
            "image": pod.image,
            "imagePullPolicy": pod.pull_policy,
            "command": container_command(task),
            "terminationMessagePath": TERMINATION_LOG,
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "env": _environment(pod, task),
            "envFrom": [{"secretRef": {"name": each}} for each in pod.secrets],
            "resources": _resources(pod),
            "ports": [{"containerPort": pod.port}] if pod.port else [],
            "volumeMounts": [mount for _, mount in _volumes(pod)],
            "securityContext": _security(pod),
        }
    )


def _security(pod: Pod) -> dict[str, Any]:
    says = _camel(pod.security)
    defaults = dict(_SECURITY)
    # What contradicts a default that nobody spoke of: the API would refuse both together.
    if says.get("runAsUser") == 0:
        del defaults["runAsNonRoot"]
    if says.get("privileged"):
        del defaults["allowPrivilegeEscalation"]
    return {**defaults, **says}


def _environment(pod: Pod, task: StepTask) -> list[dict[str, Any]]:
    variables = {
        **pod.environment,
        # Python, the package installer and the container runtime read theirs before any step.
        **task.env,
        TASK_VARIABLE: pack(task),
        "METAFLOW_RUNTIME_ENVIRONMENT": "kubernetes",
    }
    if pod.tmpfs:
        variables.setdefault("METAFLOW_TEMPDIR", pod.tmpfs_path)
    return [
        *(
            {"name": key, "value": _literal(value)}
            for key, value in variables.items()
            if key not in _FIELDS
        ),
        *(
            {"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}}
            for key, path in _FIELDS.items()
        ),
    ]


def _literal(value: str) -> str:
    """Kubernetes puts other variables for $(NAME)."""
    return value.replace("$", "$$")


def _resources(pod: Pod) -> dict[str, Any]:
    amounts = {
        "cpu": _number(pod.cpu),
        "memory": f"{_number(pod.memory)}M",
        "ephemeral-storage": f"{_number(pod.disk)}M",
        **pod.resources,
    }
    limits = dict(amounts) if pod.qos.lower() == "guaranteed" else dict(pod.resources)
    if pod.gpu is not None:
        limits[f"{pod.gpu_vendor.lower()}.com/gpu"] = str(pod.gpu)
    return _without_empty({"requests": amounts, "limits": limits})


def _volumes(pod: Pod) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    found = [
        (
            {"name": claim, "persistentVolumeClaim": {"claimName": claim}},
            {"name": claim, "mountPath": path},
        )
        for claim, path in pod.volumes.items()
    ]
    for name, size, path in (
        ("tmpfs", pod.tmpfs, pod.tmpfs_path),
        ("shared-memory", pod.shared_memory, "/dev/shm"),  # noqa: S108 - its name in Linux
    ):
        if size:
            memory = {"medium": "Memory", "sizeLimit": f"{size}Mi"}
            found.append(({"name": name, "emptyDir": memory}, {"name": name, "mountPath": path}))
    return found


def _camel(values: Mapping[str, Any]) -> dict[str, Any]:
    """Keys as the API writes them: Metaflow takes run_as_user for runAsUser."""
    return {
        _camel_name(key): _camel(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
        if value is not None
    }


def _camel_name(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def _number(value: float) -> str:
    return f"{value:g}" if value < 1e6 else str(int(value))


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if v not in (None, [], {}, ())}

"""What @kubernetes and @resources say of a step, as the pod that it runs in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metaflow_airflow.errors import BridgeError
from metaflow_airflow.graph import Step
from metaflow_airflow.plan.step import Pod

_QOS = ("guaranteed", "burstable")


def pod_of(step: Step, secrets: Sequence[str] = ()) -> Pod | None:
    """The step's pod; None without @kubernetes: a process.

    Args:
        secrets: names of Kubernetes secrets that the site gives to every pod.

    Raises:
        BridgeError: a value that no pod can have; names step and attribute.
    """
    kubernetes = step.decorator("kubernetes")
    if kubernetes is None:
        return None
    says = dict(kubernetes.attributes)
    resources = step.decorator("resources")
    wants: Mapping[str, Any] = resources.attributes if resources else {}
    qos = str(says.get("qos") or "Burstable")
    if qos.lower() not in _QOS:
        raise _bad(step, "qos", qos, "Guaranteed or Burstable")
    memory = _most(step, "memory", says, wants)
    tmpfs = _whole(step, "tmpfs_size", says.get("tmpfs_size"))
    if says.get("use_tmpfs") and not tmpfs:
        tmpfs = int(memory) // 2
    pod_secrets = says.get("secrets") or ()
    if isinstance(pod_secrets, str):
        pod_secrets = pod_secrets.split(",")
    environment = {}
    if tmpfs and says.get("tmpfs_tempdir"):
        environment["METAFLOW_TEMPDIR"] = str(says["tmpfs_path"])
    return Pod(
        image=str(says["image"]),
        pull_policy=says.get("image_pull_policy") or None,
        pull_secrets=tuple(says.get("image_pull_secrets") or ()),
        namespace=_unless_default(says.get("namespace")),
        service_account=says.get("service_account") or None,
        cpu=_most(step, "cpu", says, wants),
        memory=memory,
        disk=_most(step, "disk", says, wants),
        gpu=_whole(step, "gpu", _first(wants.get("gpu"), says.get("gpu"))),
        gpu_vendor=str(says.get("gpu_vendor") or "nvidia"),
        qos=qos.capitalize(),
        resources=_texts(step, "extended_resources", says),
        secrets=tuple(dict.fromkeys(each for each in (*pod_secrets, *secrets) if each)),
        environment=environment,
        volumes=_texts(step, "persistent_volume_claims", says),
        tmpfs=tmpfs,
        tmpfs_path=str(says.get("tmpfs_path") or "/metaflow_temp"),
        shared_memory=_whole(
            step, "shared_memory", _first(wants.get("shared_memory"), says.get("shared_memory"))
        ),
        port=_whole(step, "port", says.get("port")),
        node_selector=_texts(step, "node_selector", says),
        tolerations=_tolerations(step, says.get("tolerations") or ()),
        labels=_texts(step, "labels", says),
        annotations=_texts(step, "annotations", says),
        security=_mapping(step, "security_context", says),
    )


def _most(step: Step, name: str, says: Mapping[str, Any], wants: Mapping[str, Any]) -> float:
    """The larger of what both decorators ask for, as upstream has it."""
    amounts = [value for value in (says.get(name), wants.get(name)) if value is not None]
    try:
        amount = max(float(value) for value in amounts)
    except ValueError as error:
        raise _bad(step, name, amounts, "a number") from error
    if amount <= 0:
        raise _bad(step, name, amounts, "more than 0")
    return int(amount) if amount == int(amount) else amount


def _whole(step: Step, name: str, value: Any) -> int | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except ValueError as error:
        raise _bad(step, name, value, "a whole number") from error
    if number != int(number) or number < 0:
        raise _bad(step, name, value, "a whole number")
    return int(number)


def _bad(step: Step, name: str, value: object, expected: str) -> BridgeError:
    return BridgeError(
        f"@kubernetes on step *{step.name}* (line {step.line}): {name} is {value!r}; "
        f"give {expected}."
    )


def _mapping(step: Step, name: str, says: Mapping[str, Any]) -> dict[str, Any]:
    values = says.get(name) or {}
    if not isinstance(values, Mapping):
        raise _bad(
            step, name, values, 'a dictionary, on the command line as JSON ({"name": "value"})'
        )
    return dict(values)


def _texts(step: Step, name: str, says: Mapping[str, Any]) -> dict[str, str]:
    values = _mapping(step, name, says)
    return {str(key): "" if value is None else str(value) for key, value in values.items()}


def _tolerations(step: Step, values: Any) -> tuple[Any, ...]:
    if isinstance(values, str) or not all(isinstance(each, Mapping) for each in values):
        raise _bad(
            step, "tolerations", values, "a list of dictionaries, on the command line as JSON"
        )
    return tuple(values)


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _unless_default(namespace: Any) -> str | None:
    # What Metaflow puts where nobody named one; the connection's own is meant then.
    return None if namespace in (None, "", "default") else str(namespace)

"""How a pod ended, in one sentence, and whether another attempt is worth it. Pure.

Pods and events are the API's own JSON. The one place that decides about retries:

| what happened                                   | kind          | another attempt |
|-------------------------------------------------|---------------|-----------------|
| the step's own failure                          | exit          | the step's      |
| its exit code 202 (wants none), 78 (a setting)  | exit          | no              |
| killed for its memory                           | out-of-memory | the step's      |
| evicted: it used more than its own limit        | disk          | the step's      |
| longer than @timeout                            | deadline      | the step's      |
| what its launcher needs is away (S3, the code)  | exit          | infrastructure  |
| evicted: the node ran short of something        | evicted       | infrastructure  |
| the node is gone, or does not answer            | node-gone     | infrastructure  |
| deleted by somebody                             | deleted       | infrastructure  |
| no room in the cluster, or in its quota         | no-room       | infrastructure  |
| the API server does not answer                  | unreachable   | infrastructure  |
| no such image, a name that is none              | image         | no              |
| a secret or volume that is not there            | configuration | no              |
| a pod that the cluster does not allow           | refused       | no              |

What is the infrastructure's has a budget of its own (attempt/), and costs the step no retry.

Only the step's own container counts: a cluster may add others beside it, which outlive it or fail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metaflow_airflow.pods import containers
from metaflow_airflow.runtime.launch.memory import megabytes, recorded
from metaflow_airflow.wire.exit_codes import NO_RETRY
from metaflow_airflow.wire.task import StepResult, TaskFormatError, signal_name

_IMAGE_PATIENCE = 20.0  # seconds: a registry may fail once
_SETTING_PATIENCE = 20.0
_NEVER_AN_IMAGE = ("InvalidImageName", "ErrImageNeverPull")
_NO_IMAGE = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", *_NEVER_AN_IMAGE)
_BAD_SETTING = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
_OOM_EXIT = 137
_INFRASTRUCTURE = ("evicted", "node-gone", "deleted", "no-room", "unreachable")
# How the kubelet says that a pod went over its own limit for disk, or its volume's.
_OWN_LIMIT = re.compile(r"exceeds the (total )?limit|exceeded its local ephemeral storage limit")
_ROOT_HINT = (
    ". Steps do not run as root: build the image with a user (USER 1000), or give "
    '@kubernetes(security_context={"run_as_user": 1000}); root is for the site to allow'
)
_HINTS = {
    "violates PodSecurity": (
        ". The namespace allows less than the step asks for: change its "
        "@kubernetes(security_context=…)"
    ),
    "must specify": ". Give each step limits: @kubernetes(qos='Guaranteed')",
}


@dataclass(frozen=True)
class Ending:
    """The end of a pod.

    Args:
        kind: see the module's table. sentence: for people; names the pod.
        result: what the step's launcher said, if it could.
    """

    kind: str
    sentence: str
    ok: bool = False
    retry: bool = True
    result: StepResult | None = None

    @property
    def infrastructure(self) -> bool:
        """Whether what is around the step failed, and not the step."""
        told = self.kind == "exit" and self.result is not None and self.result.infrastructure
        return self.kind in _INFRASTRUCTURE or bool(told)


def ending(
    pod: Mapping[str, Any], events: Sequence[Mapping[str, Any]], log_tail: Sequence[str]
) -> Ending | None:
    """How a pod ended; None while it has not."""
    status = pod.get("status", {})
    name = pod["metadata"]["name"]
    terminated = containers.terminated(pod)
    result = _result(terminated)
    if terminated and terminated.get("exitCode") == 0 and result is not None and result.ok:
        return Ending("done", f"pod {name} is done", ok=True, result=result)
    # Of a failure the phase, which follows a second later, says more than the container: but not
    # while another container goes on.
    is_last_word = terminated is not None and containers.is_held_open(pod)
    if not containers.is_over(pod) and not is_last_word:
        return None
    if status.get("reason") == "Evicted":
        why = _clean(status.get("message"))
        kind = "disk" if _OWN_LIMIT.search(why) else "evicted"
        return Ending(kind, f"pod {name} was evicted: {why}")
    if status.get("reason") == "DeadlineExceeded":
        seconds = pod["spec"].get("activeDeadlineSeconds")
        return Ending("deadline", f"pod {name} ran longer than its {seconds} s", result=result)
    if status.get("reason") in ("NodeLost", "NodeShutdown", "Terminated"):
        return _node_gone(pod, status.get("message"))
    if terminated is None:
        if _disrupted(pod):
            return _node_gone(pod, _disrupted(pod))
        failed = [each for each, state in containers.before_it(pod) if _failed(state)]
        before = f"container {failed[0]}, which runs before it, failed" if failed else ""
        said = before or _clean(status.get("message"))
        why = said or _last_event(events) or "no container ran"
        return Ending("deleted", f"pod {name} ended without running the step: {why}")
    return _failure(pod, terminated, result, log_tail)


def stuck(
    pod: Mapping[str, Any],
    events: Sequence[Mapping[str, Any]],
    *,
    pending_seconds: float,
    limit: float,
) -> Ending | None:
    """Why a pod that waits will not start; None while there is hope.

    Args:
        pending_seconds: how long it has waited. limit: for how long it may wait for room.
    """
    name = pod["metadata"]["name"]
    container, waiting = _waiting(pod)
    reason = waiting.get("reason", "")
    image = containers.image_of(pod, container)
    message = _clean(waiting.get("message"))
    if reason in _NEVER_AN_IMAGE or (reason in _NO_IMAGE and pending_seconds > _IMAGE_PATIENCE):
        told = _event(events, "Failed") or message
        return Ending("image", f"image {image} of pod {name} cannot be had: {told}", retry=False)
    is_root = reason in _BAD_SETTING and "runAsNonRoot" in message
    if is_root or (reason in _BAD_SETTING and pending_seconds > _SETTING_PATIENCE):
        sentence = f"pod {name} cannot start: {message}{_ROOT_HINT if is_root else ''}"
        return Ending("configuration", sentence, retry=False)
    mount = _event(events, "FailedMount")
    if mount and pending_seconds > limit:
        return Ending("configuration", f"pod {name} gets no volume: {mount}", retry=False)
    if pending_seconds > limit:
        told = unscheduled(pod) or _event(events, "FailedScheduling")
        wants = ", ".join(f"{k} {v}" for k, v in _requests(pod).items())
        if told:
            return Ending(
                "no-room",
                f"the cluster had no room for pod {name} (it asks for {wants}) "
                f"in {pending_seconds:.0f} s: {told}",
            )
        return Ending("no-room", f"pod {name} did not start in {pending_seconds:.0f} s: {reason}")
    return None


def unscheduled(pod: Mapping[str, Any]) -> str:
    """Why the cluster has no place for a pod yet; empty when it has one."""
    for condition in pod.get("status", {}).get("conditions", []):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return _clean(condition.get("message"))
    return ""


def vanished(pod: Mapping[str, Any]) -> Ending:
    """A pod that was there and is not any more, without having ended."""
    lost = _disrupted(pod)
    if lost:
        return _node_gone(pod, lost)
    return Ending("deleted", f"pod {pod['metadata']['name']} was deleted by somebody")


def lost(pod: Mapping[str, Any], seconds: float) -> Ending:
    """A pod that was to go `seconds` ago, its grace period included, and did not.

    Only its node can end its container: nobody there does.
    """
    why = _disrupted(pod) or "nothing on it has ended the pod"
    return _node_gone(pod, f"{why} ({seconds:.0f} s after the pod was to go)")


def refused(pod_name: str, why: str, *, may_pass: bool) -> Ending:
    """The API server did not take the pod. may_pass: it may, some time."""
    if may_pass:
        return Ending("no-room", f"the namespace had no room for pod {pod_name}: {_clean(why)}")
    hint = next((each for words, each in _HINTS.items() if words in why), "")
    return Ending(
        "refused", f"the cluster does not take pod {pod_name}: {_clean(why)}{hint}", retry=False
    )


def unreachable(pod_name: str, why: str) -> Ending:
    """The API server did not answer for longer than is waited."""
    return Ending(
        "unreachable", f"the Kubernetes API server does not answer about pod {pod_name}: {why}"
    )


def overdue(pod: Mapping[str, Any], seconds: float) -> Ending:
    """A pod that Kubernetes itself did not end in time."""
    name = pod["metadata"]["name"]
    return Ending("deadline", f"pod {name} was not done after {seconds:.0f} s")


def _failure(
    pod: Mapping[str, Any],
    terminated: Mapping[str, Any],
    result: StepResult | None,
    log_tail: Sequence[str],
) -> Ending:
    name = pod["metadata"]["name"]
    code = int(terminated.get("exitCode", 1))
    if terminated.get("reason") == "OOMKilled" or (result and _looks_killed_for_memory(result)):
        limit = _memory_limit(pod)
        of = f" of {limit}" if limit else " (it has no limit of its own: the node's)"
        used = recorded(str(terminated.get("message") or ""))
        last = f"; it had used {megabytes(used)}" if used else ""
        return Ending("out-of-memory", f"pod {name} ran out of its memory{of}{last}", result=result)
    if _disrupted(pod):
        return _node_gone(pod, _disrupted(pod))
    if pod["metadata"].get("deletionTimestamp") and code in (_OOM_EXIT, 143):
        return Ending("deleted", f"pod {name} was deleted by somebody", result=result)
    if result is not None:
        sentence = result.reason
        code = result.exit_code
    else:
        said = _clean(terminated.get("message")).splitlines() or [""]
        last = next((line for line in reversed(log_tail) if line.strip()), said[-1])
        ended = f"killed by {signal_name(code - 128)}" if code > 128 else f"exit code {code}"
        sentence = f"{ended}: {last.strip()}" if last.strip() else ended
    final = result.is_final if result else code in NO_RETRY
    return Ending("exit", f"{sentence} (pod {name})", retry=not final, result=result)


def _looks_killed_for_memory(result: StepResult) -> bool:
    """Kubernetes says OOMKilled of a container's first process only; others may be the victim."""
    return result.killed_by == 9 and "memory" in (result.error or "").lower()


def _waiting(pod: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The container for which a pod waits, and why: its own, or one that runs before it."""
    for name, state in containers.before_it(pod):
        if state.get("waiting", {}).get("message"):
            return name, state["waiting"]
    return containers.CONTAINER, containers.own_state(pod).get("waiting", {})


def _failed(state: Mapping[str, Any]) -> bool:
    return bool(state.get("terminated", {}).get("exitCode"))


def _result(terminated: Mapping[str, Any] | None) -> StepResult | None:
    message = (terminated or {}).get("message") or ""
    try:
        return StepResult.from_json(message) if message.startswith("{") else None
    except TaskFormatError:
        return None


def _disrupted(pod: Mapping[str, Any]) -> str:
    """What Kubernetes says of a pod that it took away itself."""
    for condition in pod.get("status", {}).get("conditions", []):
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            return _clean(condition.get("message")) or str(condition.get("reason"))
    return ""


def _node_gone(pod: Mapping[str, Any], message: str | None) -> Ending:
    node = pod.get("spec", {}).get("nodeName", "")
    told = f": {_clean(message)}" if message else ""
    return Ending("node-gone", f"pod {pod['metadata']['name']} lost its node {node}{told}")


def _requests(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = containers.own(pod).get("resources", {}).get("requests", {})
    return found


def _memory_limit(pod: Mapping[str, Any]) -> str:
    resources = containers.own(pod).get("resources", {})
    return str(resources.get("limits", {}).get("memory", ""))


def _event(events: Sequence[Mapping[str, Any]], reason: str) -> str:
    found = [event for event in events if event.get("reason") == reason]
    return _clean(found[-1].get("message")) if found else ""


def _last_event(events: Sequence[Mapping[str, Any]]) -> str:
    return _clean(events[-1].get("message")) if events else ""


def _clean(text: object) -> str:
    return re.sub(r"\s+", " ", str(text or "")).strip()

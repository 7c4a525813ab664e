"""Which of a pod's containers is the step's, and how far it is. Pure.

A cluster may add others beside it (service meshes, log shippers), in any order: none of them
decides how the step ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

CONTAINER = "step"


def own(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """The step's container, as the pod's description has it."""
    return _named(pod["spec"]["containers"])


def own_state(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """One of waiting, running and terminated; empty while nothing is known."""
    found = _named(pod.get("status", {}).get("containerStatuses", []))
    state: Mapping[str, Any] = found.get("state", {})
    return state


def terminated(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """How the step's container ended; None while it has not."""
    return own_state(pod).get("terminated")


def has_started(pod: Mapping[str, Any]) -> bool:
    """Whether the step's container runs, or has run."""
    return any(name in own_state(pod) for name in ("running", "terminated"))


def has_ended(pod: Mapping[str, Any]) -> bool:
    """Whether the step's container has, which the pod's phase says later, or never."""
    return is_over(pod) or "terminated" in own_state(pod)


def is_over(pod: Mapping[str, Any]) -> bool:
    """Whether all containers of the pod have ended."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def is_held_open(pod: Mapping[str, Any]) -> bool:
    """Whether another container goes on after the step's."""
    statuses = pod.get("status", {}).get("containerStatuses", [])
    others = [each for each in statuses if each.get("name") != CONTAINER]
    return any("terminated" not in each.get("state", {}) for each in others)


def before_it(pod: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Name and state of the containers that have to run before the step's."""
    for status in pod.get("status", {}).get("initContainerStatuses", []):
        yield status.get("name", ""), status.get("state", {})


def image_of(pod: Mapping[str, Any], name: str) -> str:
    """The image of a container."""
    spec = pod["spec"]
    every = [*spec["containers"], *spec.get("initContainers", [])]
    return next((str(each.get("image")) for each in every if each["name"] == name), "")


def _named(containers: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next((each for each in containers if each.get("name") == CONTAINER), {})

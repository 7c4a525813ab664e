"""Whether a cluster that is full is merely busy: with pods that need what the waiting ones need.

Kubernetes does not start pods in the order in which they came: of many that wait for few places
some wait until nearly all others are done, and that is no reason to give them up.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from metaflow_airflow.pods.watch import is_over

_LOOK_SECONDS = 1.0
_PLACING = ("nodeSelector", "affinity", "tolerations", "runtimeClassName")


class Room:
    """When pods of the same needs last had a node.

    Args:
        pods: all pods of the site, as they are now. clock: seconds.
    """

    def __init__(
        self, pods: Mapping[str, dict[str, Any]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pods = pods
        self._clock = clock
        self._had: dict[str, float] = {}
        self._looked = -math.inf

    def seconds_without(self, pod: Mapping[str, Any]) -> float:
        """Since no pod that needs what this one needs has had a node; infinite if none had."""
        now = self._clock()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            self._had |= {needs(other): now for other in self._pods.values() if _has_node(other)}
        return now - self._had.get(needs(pod), -math.inf)


def needs(pod: Mapping[str, Any]) -> str:
    """What decides where a pod may run, the same text for pods that need the same."""
    spec = pod["spec"]
    resources = [container.get("resources") for container in spec["containers"]]
    # Of the volumes only claims bind a pod to a place; a token's has another name in each pod.
    claims = [volume.get("persistentVolumeClaim") for volume in spec.get("volumes", [])]
    placing = [spec.get(name) for name in _PLACING]
    return json.dumps([resources, [each for each in claims if each], placing], sort_keys=True)


def _has_node(pod: Mapping[str, Any]) -> bool:
    return bool(pod["spec"].get("nodeName")) and not is_over(pod)

"""Whether a cluster that is full is merely busy: with pods that need what the waiting ones need.

Kubernetes does not start pods in the order in which they came: of many that wait for few places
some wait until nearly all others are done, and that is no reason to give them up.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from metaflow_airflow.pods.containers import is_over

NEEDS_ANNOTATION = "metaflow-airflow/needs"
_LOOK_SECONDS = 1.0
_PLACING = ("nodeSelector", "affinity", "tolerations", "runtimeClassName")


class Room:
    """When pods of the same needs last had a node.

    Args:
        pods: all pods of the site, as they are now, each with its needs in an annotation.
        clock: seconds.
    """

    def __init__(
        self, pods: Mapping[str, dict[str, Any]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pods = pods
        self._clock = clock
        self._had: dict[str, float] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._looked = -math.inf

    def turn(self, pod: Mapping[str, Any]) -> asyncio.Lock:
        """Held by the one, of all that need what this pod needs, that asks for room."""
        return self._turns.setdefault(_needs_of(pod), asyncio.Lock())

    def seconds_without(self, pod: Mapping[str, Any]) -> float:
        """Since no pod that needs what this one needs has had a node; infinite if none had."""
        now = self._clock()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            self._had |= {
                _needs_of(other): now for other in self._pods.values() if _has_node(other)
            }
        return now - self._had.get(_needs_of(pod), -math.inf)


def needs(spec: Mapping[str, Any]) -> str:
    """What decides where a pod may run, as a text that is the same for pods that need the same.

    Args:
        spec: the pod's, as it is asked for: the API adds to it what differs from pod to pod.
    """
    resources = [container.get("resources") for container in spec["containers"]]
    # Of the volumes only claims bind a pod to a place.
    claims = [volume.get("persistentVolumeClaim") for volume in spec.get("volumes", [])]
    placing = [spec.get(name) for name in _PLACING]
    text = json.dumps([resources, [each for each in claims if each], placing], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _needs_of(pod: Mapping[str, Any]) -> str:
    return str(pod["metadata"].get("annotations", {}).get(NEEDS_ANNOTATION, ""))


def _has_node(pod: Mapping[str, Any]) -> bool:
    return bool(pod["spec"].get("nodeName")) and not is_over(pod)

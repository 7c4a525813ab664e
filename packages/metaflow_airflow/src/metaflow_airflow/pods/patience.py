"""For how long is waited for what may not come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from metaflow_airflow.pods.cluster_errors import ClusterError, ClusterUnreachableError
from metaflow_airflow.pods.watch import PodWatch

_PAUSE = 2.0

Answer = TypeVar("Answer")


@dataclass
class Limits:
    """What bounds a pod's life.

    Args:
        run_pods: pods of the DAG run at once; None for no limit.
        seconds: until the pod is deleted, from its container's start on; None for no deadline.
        pending: seconds until a pod is given up that has no room, while no other of its needs has
            any, or that does not start on its node.
        unreachable: seconds without an answer of the API server until the step is given up.
        leaving: seconds beyond its grace period in which a deleted pod must go; its node is taken
            for lost then.
    """

    run_pods: int | None = None
    seconds: float | None = None
    pending: float = 600.0
    unreachable: float = 900.0
    leaving: float = 60.0


async def patiently(ask: Callable[[], Awaitable[Answer]], within: float) -> Answer:
    """Ask until the API server answers; it may be away, or busy, for so many seconds.

    Raises:
        ClusterError, ClusterUnreachableError: what it said last.
    """
    begin = time.monotonic()
    while True:
        try:
            return await ask()
        except ClusterUnreachableError:
            if time.monotonic() - begin > within:
                raise
        except ClusterError as error:
            if not error.busy or time.monotonic() - begin > within:
                raise
        await asyncio.sleep(_PAUSE)


class Leaving:
    """When deleted pods should have gone.

    Args:
        seconds: beyond a pod's grace period.
    """

    def __init__(self, watch: PodWatch, seconds: float) -> None:
        self._watch = watch
        self._seconds = seconds
        self._since: dict[str, float] = {}  # when each pod was first seen to be deleted

    def overstayed(self, pod: Mapping[str, Any]) -> float | None:
        """Seconds since a deleted pod was to go; None while it may still."""
        metadata = pod["metadata"]
        if "deletionTimestamp" not in metadata or self._watch.problem is not None:
            return None
        seconds = time.monotonic() - self._since.setdefault(metadata["uid"], time.monotonic())
        grace = metadata.get("deletionGracePeriodSeconds", 0) + self._seconds
        return seconds if seconds > grace else None

"""A pod's creation: when its turn comes, no earlier try runs and the namespace has room."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from metaflow_airflow.pods.cluster_errors import ClusterError
from metaflow_airflow.pods.containers import is_over
from metaflow_airflow.pods.hub import Hub
from metaflow_airflow.pods.names import TASK_INSTANCE_LABEL, PodIdentity
from metaflow_airflow.pods.patience import Leaving, Limits, patiently

_PAUSE = 0.5
_QUOTA_PAUSE = 2.0
TELL_SECONDS = 30.0
"""A pod that waits longer for room says so once."""


class Creation:
    """Creates the pod of one try, or adopts the one that is there.

    Args:
        manifest: the pod. limits: what bounds it. say: gets what is worth a line.
        still_wanted: whether Airflow still waits for this try.
    """

    def __init__(
        self,
        hub: Hub,
        identity: PodIdentity,
        manifest: dict[str, Any],
        *,
        limits: Limits,
        say: Callable[[str], None],
        still_wanted: Callable[[], Awaitable[bool]],
    ) -> None:
        self._hub = hub
        self._identity = identity
        self._manifest = manifest
        self._limits = limits
        self._say = say
        self._still_wanted = still_wanted
        self._leaving = Leaving(hub.watch, limits.leaving)

    async def create(self) -> dict[str, Any] | None:
        """The pod; None when Airflow no longer waits for it.

        Raises:
            ClusterError: the API server refuses it; `full` when a quota had no room for long.
            ClusterUnreachableError: it did not answer for long.
        """
        async with self._hub.slots.slot(self._identity.run, self._limits.run_pods):
            await self._end_earlier_tries()
            if not await self._still_wanted():
                return None
            pod = await self._create_when_there_is_room()
            if pod is not None:
                self._hub.watch.put(pod)
        return pod

    async def _create_when_there_is_room(self) -> dict[str, Any] | None:
        begin = time.monotonic()
        try:
            return await self._ask()
        except ClusterError as error:
            if not error.full:
                raise
        is_told = False
        # One of those with the same needs asks again; the others would be refused alike.
        async with self._hub.room.turn(self._manifest):
            while await self._still_wanted():
                try:
                    return await self._ask()
                except ClusterError as error:
                    waited = time.monotonic() - begin
                    without = self._hub.room.seconds_without(self._manifest)
                    if not error.full or min(waited, without) > self._limits.pending:
                        raise
                    if waited > TELL_SECONDS and not is_told:
                        is_told = True
                        self._say(f"The pod waits for room in the namespace: {error}")
                await asyncio.sleep(_QUOTA_PAUSE)
        return None

    async def _ask(self) -> dict[str, Any]:
        return await patiently(
            lambda: self._hub.cluster.create(self._manifest), self._limits.unreachable
        )

    async def _end_earlier_tries(self) -> None:
        """A step never runs twice at the same time: what is left of another try goes first."""
        mine = self._identity.task_instance
        while True:
            others = [
                pod
                for pod in self._hub.watch.pods.values()
                if pod["metadata"]["labels"].get(TASK_INSTANCE_LABEL) == mine
                and pod["metadata"]["name"] != self._identity.name
            ]
            if all(is_over(pod) or self._leaving.overstayed(pod) is not None for pod in others):
                return
            for pod in others:
                metadata = pod["metadata"]
                if "deletionTimestamp" not in metadata:
                    self._say(f"Deleting pod {metadata['name']} of an earlier try")
                    delete = partial(
                        self._hub.cluster.delete, metadata["name"], uid=metadata["uid"]
                    )
                    await patiently(delete, self._limits.unreachable)
            await asyncio.sleep(_PAUSE)

"""What all steps of one triggerer share: one connection, one watch, one count a namespace."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from metaflow_airflow.pods.cluster import Cluster
from metaflow_airflow.pods.cluster_errors import ClusterError, ClusterUnreachableError
from metaflow_airflow.pods.containers import is_over
from metaflow_airflow.pods.limits import Slots, most_pods
from metaflow_airflow.pods.names import MANAGED_BY, RUN_LABEL, SITE_LABEL, described
from metaflow_airflow.pods.patience import patiently
from metaflow_airflow.pods.room import Room
from metaflow_airflow.pods.watch import PodWatch

_READY_SECONDS = 60.0
_REMOVE_SECONDS = 900.0

log = logging.getLogger(__name__)

Connect = Callable[[AsyncExitStack], Awaitable[Cluster]]
"""Signs in to the cluster; the stack is what closes the connection."""

IsWanted = Callable[[Mapping[str, str]], Awaitable[bool]]
"""Whether Airflow still waits for a pod, of which it gets names.described."""


class Hub:
    """One namespace of one cluster, for one Airflow installation.

    Args:
        site: which installation. is_wanted: asks Airflow about a pod that nobody follows.
        slots: bound the pods of the triggerer, which may have several hubs.
        sweep_seconds: between two looks for such pods. unclaimed_seconds: how long it was
            nobody's.
    """

    def __init__(
        self,
        cluster: Cluster,
        site: str,
        is_wanted: IsWanted,
        slots: Slots,
        *,
        sweep_seconds: float = 30.0,
        unclaimed_seconds: float = 60.0,
    ) -> None:
        labels = {**MANAGED_BY, SITE_LABEL: site}
        self.cluster = cluster
        self.slots = slots
        slots.count(self._live)
        self.watch = PodWatch(
            cluster, ",".join(f"{key}={value}" for key, value in labels.items()), self.slots.changed
        )
        self.room = Room(self.watch.pods)
        self._is_wanted = is_wanted
        self._sweep_seconds = sweep_seconds
        self._unclaimed_seconds = unclaimed_seconds
        self._unclaimed: dict[str, float] = {}
        self.watch.start()
        self._sweeper = asyncio.create_task(self._sweep(), name="metaflow-airflow-pod-sweeper")

    async def remove(self, name: str) -> None:
        """Delete a pod that nobody follows, if it is there.

        Raises:
            ClusterUnreachableError: the API server did not answer for long.
        """
        if not await self.watch.ready(_READY_SECONDS):
            raise ClusterUnreachableError("it did not list the pods")
        pod = self.watch.pods.get(name)
        if pod is not None:
            uid = pod["metadata"]["uid"]
            await patiently(lambda: self.cluster.delete(name, uid=uid), _REMOVE_SECONDS)

    async def stop(self) -> None:
        """End the watch; the pods stay."""
        self._sweeper.cancel()
        await asyncio.gather(self._sweeper, return_exceptions=True)
        await self.watch.stop()

    def _live(self) -> Iterator[tuple[str, bool]]:
        for name, pod in self.watch.pods.items():
            if not is_over(pod):
                run = pod["metadata"]["labels"].get(RUN_LABEL, "")
                yield run, self.watch.is_followed(name)

    async def _sweep(self) -> None:
        """Delete what nobody waits for: a triggerer died between a pod's end and its deletion.

        A task that was cleared or marked while no triggerer ran leaves its pod behind too.
        """
        while True:
            await asyncio.sleep(self._sweep_seconds)
            try:
                for pod in self._left_behind():
                    metadata = pod["metadata"]
                    if not await self._is_wanted(described(metadata.get("annotations", {}))):
                        log.info("Deleting pod %s, which no task waits for", metadata["name"])
                        await self.cluster.delete(metadata["name"], uid=metadata["uid"])
            except (ClusterError, ClusterUnreachableError) as error:
                log.warning("Pods left behind could not be looked for: %s", error)
            except Exception:
                log.exception("Pods left behind could not be looked for")

    def _left_behind(self) -> list[dict[str, Any]]:
        now = time.monotonic()
        unclaimed = [name for name in self.watch.pods if not self.watch.is_followed(name)]
        self._unclaimed = {name: self._unclaimed.get(name, now) for name in unclaimed}
        return [
            self.watch.pods[name]
            for name, since in self._unclaimed.items()
            if now - since >= self._unclaimed_seconds
        ]


class Hubs:
    """The hubs of one event loop, made when they are first needed."""

    _of_loop: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, Hubs]] = WeakKeyDictionary()

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._hubs: dict[tuple[str, str | None], Hub] = {}
        self._slots: Slots | None = None
        self._lock = asyncio.Lock()

    @classmethod
    def here(cls) -> Hubs:
        """Those of the running loop."""
        loop = asyncio.get_running_loop()
        if loop not in cls._of_loop:
            cls._of_loop[loop] = cls()
        return cls._of_loop[loop]

    async def get(
        self, key: tuple[str, str | None], connect: Connect, site: str, is_wanted: IsWanted
    ) -> Hub:
        """The hub of a connection and a namespace.

        Args:
            key: name of the connection, and the namespace; None for the connection's own.
            connect: signs in, where nobody has yet.

        Raises:
            ConnectError: there is no way to the cluster, or a setting is none.
        """
        async with self._lock:
            if self._slots is None:
                self._slots = Slots(most_pods(os.environ))
            if key not in self._hubs:
                cluster = await connect(self._stack)
                self._hubs[key] = Hub(cluster, site, is_wanted, self._slots)
            return self._hubs[key]

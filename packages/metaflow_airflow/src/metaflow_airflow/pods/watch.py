"""One watch for all pods of a namespace; each step follows its own through a subscription."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from metaflow_airflow.pods.cluster import Cluster
from metaflow_airflow.pods.cluster_errors import ClusterError, ClusterUnreachableError

_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between attempts to reach the API server

log = logging.getLogger(__name__)


class Subscription:
    """What is known of one pod. `changed` returns when there is news."""

    def __init__(self) -> None:
        self.pod: dict[str, Any] | None = None
        self.deleted = False
        self._news = asyncio.Event()

    def tell(self, pod: dict[str, Any], *, deleted: bool = False) -> None:
        """Take the pod's newest state."""
        self.pod = pod
        self.deleted = self.deleted or deleted
        self._news.set()

    async def changed(self, within: float) -> None:
        """Wait for news, or until `within` seconds have passed."""
        try:
            await asyncio.wait_for(self._news.wait(), within)
        except asyncio.TimeoutError:
            return
        self._news.clear()


class PodWatch:
    """All pods with some labels, as they are now.

    Args:
        selector: Kubernetes' label selector. on_change: called after every change.
    """

    def __init__(
        self, cluster: Cluster, selector: str, on_change: Callable[[], None] = lambda: None
    ) -> None:
        self._cluster = cluster
        self._selector = selector
        self._on_change = on_change
        self._pods: dict[str, dict[str, Any]] = {}
        self._subscriptions: dict[str, list[Subscription]] = {}
        self._ready = asyncio.Event()
        self._problem: tuple[float, str] | None = None
        self._version = ""
        self._task: asyncio.Task[None] | None = None

    @property
    def pods(self) -> Mapping[str, dict[str, Any]]:
        """By name."""
        return self._pods

    @property
    def problem(self) -> tuple[float, str] | None:
        """Since when (monotonic seconds) and why the API server is out of reach."""
        return self._problem

    def start(self) -> None:
        """Begin to watch; does nothing if it has begun."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="metaflow-airflow-pod-watch")

    async def stop(self) -> None:
        """End the watch."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def ready(self, within: float) -> bool:
        """Wait until all pods are known, for `within` seconds."""
        try:
            await asyncio.wait_for(self._ready.wait(), within)
        except asyncio.TimeoutError:
            return False
        return True

    @contextmanager
    def subscribe(self, name: str) -> Iterator[Subscription]:
        """Follow one pod, which need not exist yet."""
        subscription = Subscription()
        if name in self._pods:
            subscription.tell(self._pods[name])
        self._subscriptions.setdefault(name, []).append(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions[name].remove(subscription)
            if not self._subscriptions[name]:
                del self._subscriptions[name]

    def is_followed(self, name: str) -> bool:
        """Whether somebody subscribed to it."""
        return name in self._subscriptions

    def put(self, pod: dict[str, Any]) -> None:
        """Take a pod's state from another answer than the watch's (its creation)."""
        name = pod["metadata"]["name"]
        known = self._pods.get(name)
        is_gone = any(each.deleted for each in self._subscriptions.get(name, ()))
        if not is_gone and (known is None or _version(known) <= _version(pod)):
            self._take(pod)
            self._on_change()

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                async for _ in self._changes():
                    failures = 0
            except (ClusterError, ClusterUnreachableError) as error:
                self._fail(str(error))
            except Exception as error:
                # Whatever it was: without the watch every pod of this triggerer would hang.
                log.exception("The watch of pods failed; it begins anew")
                self._version = ""
                self._fail(f"the watch of pods failed: {type(error).__name__}: {error}")
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
            failures += 1

    async def _changes(self) -> AsyncIterator[None]:
        """Take what there is, then each change, until the server ends the watch."""
        if not self._version:
            self._version = await self._list()
            yield
        try:
            async for kind, pod in self._cluster.watch(self._selector, self._version):
                self._problem = None
                self._version = pod["metadata"]["resourceVersion"]
                if kind in ("ADDED", "MODIFIED"):
                    self._take(pod)
                elif kind == "DELETED":
                    self._drop(pod)
                self._on_change()
                yield
        except ClusterError as error:
            if error.busy:
                raise
            self._version = ""  # expired, mostly; list again
            if not error.expired:
                raise

    def _fail(self, why: str) -> None:
        since = self._problem[0] if self._problem else time.monotonic()
        self._problem = (since, why)

    async def _list(self) -> str:
        found, version = await self._cluster.pods(self._selector)
        self._problem = None
        names = {pod["metadata"]["name"] for pod in found}
        for name in [name for name in self._pods if name not in names]:
            self._drop(self._pods[name])
        for pod in found:
            self._take(pod)
        self._ready.set()
        self._on_change()
        return version

    def _take(self, pod: dict[str, Any]) -> None:
        name = pod["metadata"]["name"]
        self._pods[name] = pod
        for subscription in self._subscriptions.get(name, ()):
            subscription.tell(pod)

    def _drop(self, pod: dict[str, Any]) -> None:
        name = pod["metadata"]["name"]
        self._pods.pop(name, None)
        for subscription in self._subscriptions.get(name, ()):
            subscription.tell(pod, deleted=True)


def _version(pod: Mapping[str, Any]) -> int:
    return int(pod["metadata"]["resourceVersion"])

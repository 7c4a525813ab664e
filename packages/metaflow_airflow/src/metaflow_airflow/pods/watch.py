"""One watch for all pods of a namespace; each step follows its own through a subscription."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from metaflow_airflow.pods.cluster import Cluster, ClusterError, UnreachableError

_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between attempts to reach the API server


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
        except TimeoutError:
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
        except TimeoutError:
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
        known = self._pods.get(pod["metadata"]["name"])
        if known is None or _version(known) <= _version(pod):
            self._take(pod)

    async def _run(self) -> None:
        failures = 0
        version = ""
        while True:
            try:
                if not version:
                    version = await self._list()
                    failures = 0
                async for kind, pod in self._cluster.watch(self._selector, version):
                    self._reached()
                    failures = 0
                    version = pod["metadata"]["resourceVersion"]
                    if kind in ("ADDED", "MODIFIED"):
                        self._take(pod)
                    elif kind == "DELETED":
                        self._drop(pod)
            except (ClusterError, UnreachableError) as error:
                if isinstance(error, ClusterError) and not error.busy:
                    version = ""  # expired, mostly; list again
                    if error.expired:
                        continue
                if self._problem is None:
                    self._problem = (time.monotonic(), str(error))
                self._on_change()
                await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1

    async def _list(self) -> str:
        found, version = await self._cluster.pods(self._selector)
        self._reached()
        names = {pod["metadata"]["name"] for pod in found}
        for name in [name for name in self._pods if name not in names]:
            self._drop(self._pods[name])
        for pod in found:
            self._take(pod)
        self._ready.set()
        return version

    def _reached(self) -> None:
        self._problem = None

    def _take(self, pod: dict[str, Any]) -> None:
        name = pod["metadata"]["name"]
        self._pods[name] = pod
        for subscription in self._subscriptions.get(name, ()):
            subscription.tell(pod)
        self._on_change()

    def _drop(self, pod: dict[str, Any]) -> None:
        name = pod["metadata"]["name"]
        self._pods.pop(name, None)
        for subscription in self._subscriptions.get(name, ()):
            subscription.tell(pod, deleted=True)
        self._on_change()


def has_ended(pod: Mapping[str, Any]) -> bool:
    """Whether its container has, which the pod's phase says about a second later."""
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return is_over(pod) or any("terminated" in each.get("state", {}) for each in statuses)


def is_over(pod: Mapping[str, Any]) -> bool:
    """Whether its containers have ended."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def _version(pod: Mapping[str, Any]) -> int:
    return int(pod["metadata"]["resourceVersion"])

"""The life of one step's pod: made or adopted, followed, ended, deleted. Knows no Airflow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from metaflow_airflow.pods import reasons
from metaflow_airflow.pods.cluster_errors import ClusterError, ClusterUnreachableError
from metaflow_airflow.pods.containers import has_ended, has_started
from metaflow_airflow.pods.creation import TELL_SECONDS, Creation
from metaflow_airflow.pods.hub import Hub
from metaflow_airflow.pods.logs import LogFollower
from metaflow_airflow.pods.names import PodIdentity
from metaflow_airflow.pods.patience import Leaving, Limits, patiently
from metaflow_airflow.pods.reasons import Ending
from metaflow_airflow.pods.watch import Subscription

_LOOK_SECONDS = 5.0  # how often a pod without news is looked at: deadlines, events
_LOG_GRACE = 15.0  # seconds without a line until the rest of an ended container's is given up
_READY_SECONDS = 60.0


class PodLife:
    """One try of one step as a pod.

    Args:
        manifest: the pod. limits: what bounds it.
        on_line: gets time and text of each line of its log. say: gets what else is worth a line.
        still_wanted: whether Airflow still waits for this try.
    """

    def __init__(
        self,
        hub: Hub,
        identity: PodIdentity,
        manifest: dict[str, Any],
        *,
        limits: Limits,
        on_line: Callable[[str, str], None],
        say: Callable[[str], None],
        still_wanted: Callable[[], Awaitable[bool]],
    ) -> None:
        self._hub = hub
        self._identity = identity
        self._limits = limits
        self._on_line = on_line
        self._say = say
        self._creation = Creation(
            hub, identity, manifest, limits=limits, say=say, still_wanted=still_wanted
        )
        self._leaving = Leaving(hub.watch, limits.leaving)
        self._uid: str | None = None
        self._placed: float | None = None  # when it was first seen on a node
        self._started: float | None = None
        self._told_unreachable = False
        self._told_waiting = False

    async def run(self) -> Ending | None:
        """Follow the pod to its end; None when Airflow no longer waits for it.

        The pod is still there then: `delete` it when Airflow has recorded the end, so that whoever
        takes over meanwhile finds the end and not a reason to run the step again.
        """
        name = self._identity.name
        with self._hub.watch.subscribe(name) as subscription:
            if not await self._hub.watch.ready(_READY_SECONDS):
                return reasons.unreachable(name, self._unreachable_reason())
            try:
                if subscription.pod is None and not await self._create():
                    return None
            except ClusterError as error:
                return reasons.refused(name, str(error), may_pass=error.may_pass)
            except ClusterUnreachableError as error:
                return reasons.unreachable(name, str(error))
            return await self._follow(subscription)

    async def delete(self, grace: int | None = None) -> None:
        """Delete the pod, if there is one."""
        name = self._identity.name
        pod = self._hub.watch.pods.get(name)
        uid = pod["metadata"]["uid"] if pod else self._uid
        if uid is not None:
            await patiently(
                lambda: self._hub.cluster.delete(name, uid=uid, grace=grace),
                self._limits.unreachable,
            )

    async def _create(self) -> bool:
        pod = await self._creation.create()
        if pod is None:
            return False
        self._uid = pod["metadata"]["uid"]
        self._say(f"Pod {self._identity.name} in namespace {self._hub.cluster.namespace}")
        return True

    async def _follow(self, subscription: Subscription) -> Ending:
        begin = time.monotonic()
        log = LogFollower(self._hub.cluster, self._identity.name, self._on_line, self._say)
        following: asyncio.Task[None] | None = None
        is_read = False
        try:
            while True:
                pod = subscription.pod or {}
                if following is None and has_started(pod):
                    self._started = time.monotonic()
                    following = asyncio.create_task(log.follow())
                if following is not None and not is_read and has_ended(pod):
                    await log.settle()
                    following.cancel()
                    await asyncio.gather(following, return_exceptions=True)
                    await log.rest(_LOG_GRACE)
                    is_read = True
                ending = await self._look(subscription, begin, log.tail)
                if ending is not None:
                    return ending
                await subscription.changed(_LOOK_SECONDS)
        finally:
            if following is not None:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)

    async def _look(
        self, subscription: Subscription, begin: float, tail: Sequence[str]
    ) -> Ending | None:
        pod = subscription.pod
        seconds = time.monotonic() - begin
        if pod is not None:
            is_gone = subscription.deleted
            ending = self._ending(pod, [], tail, seconds, is_gone=is_gone)
            if ending is not None and not ending.ok:
                # They only explain. Listing them for each pod that waits for room or ends well
                # costs the API server more than the pods do.
                events = await self._events(pod)
                ending = self._ending(pod, events, tail, seconds, is_gone=is_gone)
            if ending is not None:
                return ending
            self._tell_waiting(pod, seconds)
            limit = self._limits.seconds
            if limit is not None and self._running_seconds() > limit:
                return reasons.overdue(pod, limit)
        return self._unreachable_for_long()

    def _ending(
        self,
        pod: dict[str, Any],
        events: list[dict[str, Any]],
        tail: Sequence[str],
        seconds: float,
        *,
        is_gone: bool,
    ) -> Ending | None:
        ending = reasons.ending(pod, events, list(tail))
        if ending is None and is_gone:
            ending = reasons.vanished(pod)
        if ending is None and not has_started(pod):
            pending = self._pending_seconds(pod, seconds)
            ending = reasons.stuck(pod, events, pending_seconds=pending, limit=self._limits.pending)
        overstayed = self._leaving.overstayed(pod)
        if ending is None and overstayed is not None and not has_ended(pod):
            ending = reasons.lost(pod, overstayed)
        return ending

    def _pending_seconds(self, pod: dict[str, Any], seconds: float) -> float:
        """First it waits for room, then on its node for its image and volumes."""
        if not pod["spec"].get("nodeName"):
            return min(seconds, self._hub.room.seconds_without(pod))
        if self._placed is None:
            self._placed = time.monotonic()
        return time.monotonic() - self._placed

    def _tell_waiting(self, pod: dict[str, Any], seconds: float) -> None:
        why = reasons.unscheduled(pod)
        if why and seconds > TELL_SECONDS and not self._told_waiting:
            self._told_waiting = True
            self._say(f"The pod waits for room in the cluster: {why}")

    def _running_seconds(self) -> float:
        """Waiting for room, or for the image, is not the step's time."""
        return time.monotonic() - self._started if self._started is not None else 0.0

    def _unreachable_for_long(self) -> Ending | None:
        problem = self._hub.watch.problem
        if problem is None:
            if self._told_unreachable:
                self._say("The API server answers again")
            self._told_unreachable = False
            return None
        since, why = problem
        if not self._told_unreachable and time.monotonic() - since > 2:
            self._told_unreachable = True
            self._say(f"The API server does not answer, trying on: {why}")
        if time.monotonic() - since > self._limits.unreachable:
            return reasons.unreachable(self._identity.name, why)
        return None

    def _unreachable_reason(self) -> str:
        problem = self._hub.watch.problem
        return problem[1] if problem else "it did not list the pods"

    async def _events(self, pod: dict[str, Any]) -> list[dict[str, Any]]:
        try:
            return await self._hub.cluster.events(pod["metadata"]["uid"])
        except (ClusterError, ClusterUnreachableError):
            return []  # they only explain

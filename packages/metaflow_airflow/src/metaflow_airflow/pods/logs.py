"""A pod's log by lines while it is written; neither twice nor missing after a lost connection."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable

from metaflow_airflow.pods.cluster import Cluster, ClusterError, UnreachableError

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d+))?Z")
log = logging.getLogger(__name__)

_PAUSE = 0.5  # seconds before following again
_TAIL = 20


class LogLines:
    """Lines of one container out of several overlapping readings. Pure.

    Kubernetes gives a line again when it is asked from a time: a reading starts with the second of
    the last line that is known. What lies before that line is skipped, and as many lines of exactly
    its time as are known already.
    """

    def __init__(self) -> None:
        self._last = ""
        self._order = ("", "")
        self._at_last = 0  # lines known that have the time of the last one
        self._again = 0  # of those, how many this reading has given so far

    @property
    def since(self) -> str | None:
        """Where the next reading starts; None for the beginning."""
        return self._last or None

    def restart(self) -> None:
        """Another reading begins."""
        self._again = 0

    def take(self, line: str) -> tuple[str, str] | None:
        """(time, text) of a line that is new; None for one that is known, or is no line."""
        stamp, _, text = line.partition(" ")
        if not _TIME.fullmatch(stamp):
            return None
        order = _order(stamp)
        if order < self._order:
            return None
        if order > self._order:
            self._last, self._order = stamp, order
            self._at_last = self._again = 1
            return stamp, text
        self._again += 1
        if self._again <= self._at_last:
            return None
        self._at_last = self._again
        return stamp, text


class LogFollower:
    """Reads one pod's log.

    Args:
        on_line: gets time (RFC 3339) and text of every line.
    """

    def __init__(self, cluster: Cluster, name: str, on_line: Callable[[str, str], None]) -> None:
        self._cluster = cluster
        self._name = name
        self._on_line = on_line
        self._lines = LogLines()
        self.tail: deque[str] = deque(maxlen=_TAIL)

    async def follow(self) -> None:
        """Read while the container writes, and on after a lost connection; cancel it to end it.

        The stream itself ends a second or two after the container: `rest` does not wait for that.
        """
        while True:
            try:
                await self._read(follow=True)
            except ClusterError as error:
                if error.status == 404:
                    return
            except UnreachableError as error:
                log.debug("The log of pod %s broke off: %s", self._name, error)
            await asyncio.sleep(_PAUSE)

    async def rest(self) -> None:
        """Read what is left of a container that has ended."""
        while True:
            try:
                return await self._read(follow=False)
            except ClusterError:
                return  # the pod is deleted
            except UnreachableError:
                await asyncio.sleep(_PAUSE)

    async def _read(self, *, follow: bool) -> None:
        self._lines.restart()
        async for line in self._cluster.logs(self._name, self._lines.since, follow=follow):
            new = self._lines.take(line)
            if new:
                self.tail.append(new[1])
                self._on_line(*new)


def _order(stamp: str) -> tuple[str, str]:
    """Sorts as the times do: the fraction's trailing zeros are not written."""
    match = _TIME.fullmatch(stamp)
    fraction = (match.group(1) if match else None) or ""
    return stamp[:19], fraction.ljust(9, "0")

"""A pod's log by lines while it is written; neither twice nor missing after a lost connection."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable

from metaflow_airflow.compat.python import postpone, timeout
from metaflow_airflow.pods.cluster import Cluster
from metaflow_airflow.pods.cluster_errors import ClusterError, ClusterUnreachableError
from metaflow_airflow.pods.log_lines import LogLines, Pieces

_PAUSE = 0.5  # seconds before following again
_QUIET = 0.1  # seconds without a line after which an ended container's log is taken for read
_TURN = 0.002  # seconds until the triggerer's other pods have their turn
_TAIL = 20

log = logging.getLogger(__name__)


class LogFollower:
    """Reads the log of one pod's step.

    Args:
        on_line: gets time (RFC 3339) and text of every line. say: gets what else is worth one.
    """

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        on_line: Callable[[str, str], None],
        say: Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._on_line = on_line
        self._say = say
        self._lines = LogLines()
        self._given = ("", 0)  # time and length of what is known of a line that broke off
        self._said: set[str] = set()
        self._heard = -math.inf  # when something came last
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
                if error.status == 403:
                    return self._tell(str(error))
            except ClusterUnreachableError as error:
                log.debug("The log of pod %s broke off: %s", self._name, error)
            await asyncio.sleep(_PAUSE)

    async def settle(self) -> None:
        """Wait while lines of an ended container still come: its node may drop them soon."""
        while time.monotonic() - self._heard < _QUIET:
            await asyncio.sleep(_QUIET / 2)

    async def rest(self, within: float) -> None:
        """Read what is left of a container that has ended; say so when that cannot be had.

        Args:
            within: seconds without a line after which it is given up.
        """
        why = f"nothing came for {within:.0f} s"
        try:
            async with timeout(within) as limit:
                loop = asyncio.get_running_loop()

                def heard() -> None:
                    postpone(limit, loop.time() + within)

                while True:
                    try:
                        return await self._read(follow=False, heard=heard)
                    except ClusterUnreachableError as error:
                        why = str(error)
                    except ClusterError as error:
                        why = str(error)
                        if not error.busy:
                            break
                    await asyncio.sleep(_PAUSE)
        except asyncio.TimeoutError:
            pass
        self._say(
            f"The end of the step's log could not be read from the cluster ({why}). "
            "Metaflow keeps it too: `logs`."
        )

    async def _read(self, *, follow: bool, heard: Callable[[], None] = lambda: None) -> None:
        since = self._lines.since
        self._lines.restart()
        pieces, line = Pieces(), _Line()
        try:
            async for text in self._cluster.logs(self._name, since, follow=follow):
                heard()
                self._heard = turn = time.monotonic()
                for is_begin, piece in pieces.feed(text):
                    self._take(line, is_begin=is_begin, text=piece, is_resumed=since is not None)
                    if time.monotonic() - turn > _TURN:
                        await asyncio.sleep(0)
                        turn = time.monotonic()
            if not follow:
                for is_begin, piece in pieces.close():
                    self._take(line, is_begin=is_begin, text=piece, is_resumed=since is not None)
        finally:
            if pieces.is_within and line.is_new:
                self._lines.forget(line.stamp)
                self._given = (line.stamp, line.length)

    def _take(self, line: _Line, *, is_begin: bool, text: str, is_resumed: bool) -> None:
        if is_begin:
            stamp, _, text = text.partition(" ")
            try:
                line.begin(stamp, is_new=self._lines.take(stamp))
                if self._lines.has_gap:
                    self._lines.has_gap = False
                    self._say(
                        "Lines are missing here: they were written faster than they could be read, "
                        "and the node had dropped them from its log. Metaflow has them: `logs`."
                    )
            except ValueError:
                # A reading that begins within a line gives the end of one that is known.
                if line.stamp or not is_resumed:
                    self._tell(f"{stamp} {text}")
                line.is_new = False
                return
        if not line.is_new:
            return
        line.length += len(text)
        if line.stamp == self._given[0]:
            known = min(self._given[1], len(text))
            self._given = (line.stamp, self._given[1] - known)
            if known and known == len(text):
                return
            text = text[known:]
        self.tail.append(text)
        self._on_line(line.stamp, text)

    def _tell(self, text: str) -> None:
        if text.strip() and text not in self._said:
            self._said.add(text)
            self._say(f"The cluster says of the log: {text.strip()}")


class _Line:
    """The line that is being read."""

    def __init__(self) -> None:
        self.stamp = ""
        self.is_new = False
        self.length = 0

    def begin(self, stamp: str, *, is_new: bool) -> None:
        """Another one begins."""
        self.stamp, self.is_new, self.length = stamp, is_new, 0

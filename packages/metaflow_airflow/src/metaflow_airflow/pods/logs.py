"""A pod's log by lines while it is written; neither twice nor missing after a lost connection."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from metaflow_airflow.pods.cluster import Cluster
from metaflow_airflow.pods.cluster_errors import ClusterError, UnreachableError

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")
_BACK = 30  # seconds that a node's clock may step back while nothing is read
_REMEMBERED = 600  # seconds with lines in them
_PIECE = 64 * 1024  # characters after which a line is cut, as a process's are
_PAUSE = 0.5  # seconds before following again
_TURN = 0.002  # seconds until the triggerer's other pods have their turn
_TAIL = 20

log = logging.getLogger(__name__)


class LogLines:
    """Lines of one container out of several overlapping readings. Pure.

    Kubernetes gives a log from a time on: a reading starts a while before the last line that is
    known, as the node's clock may step back meanwhile. Lines come in the order in which they were
    written, so what is known stands first: as many lines of each second as are known of it are
    skipped, and in the last second those of exactly the known times.
    """

    def __init__(self) -> None:
        self._second: int | None = None  # of the last line
        self._times: Counter[str] = Counter()  # fractions of the lines in that second
        self._earlier: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)  # second, lines
        self._skip_times: Counter[str] = Counter()
        self._skip_seconds: Counter[int] = Counter()
        self._parsed = ("", 0)

    @property
    def since(self) -> str | None:
        """Where the next reading starts; None for the beginning."""
        if self._second is None:
            return None
        return datetime.fromtimestamp(self._second - _BACK, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def restart(self) -> None:
        """Another reading begins."""
        if self._second is None:
            return
        self._skip_times = Counter(self._times)
        self._skip_seconds = Counter()
        for second, count in self._earlier:
            if second >= self._second - _BACK:
                self._skip_seconds[second] += count

    def take(self, stamp: str) -> bool:
        """Whether the line of this time is new.

        Raises:
            ValueError: no time, and so no line of the container.
        """
        match = _TIME.fullmatch(stamp)
        if not match:
            raise ValueError(stamp)
        second = self._seconds(match[1] + match[3])
        fraction = (match[2] or "").rstrip("0")
        if self._skip_times or self._skip_seconds:
            if self._is_known(second, fraction):
                return False
            self._skip_times.clear()
            self._skip_seconds.clear()
        if second != self._second:
            if self._second is not None:
                self._earlier.append((self._second, self._times.total()))
            self._second, self._times = second, Counter()
        self._times[fraction] += 1
        return True

    def forget(self, stamp: str) -> None:
        """The last line taken broke off: the next reading gives it again, and it is new then."""
        match = _TIME.fullmatch(stamp)
        if match:
            self._times[(match[2] or "").rstrip("0")] -= 1
            self._times = +self._times

    def _is_known(self, second: int, fraction: str) -> bool:
        if second == self._second and self._skip_times[fraction] > 0:
            self._skip_times[fraction] -= 1
            return True
        if self._skip_seconds[second] > 0:
            self._skip_seconds[second] -= 1
            return True
        return False

    def _seconds(self, text: str) -> int:
        if text != self._parsed[0]:
            self._parsed = (text, int(datetime.fromisoformat(text).timestamp()))
        return self._parsed[1]


class _Pieces:
    """Cuts text as it comes into lines, and long ones of them into pieces."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self.is_within = False  # a line of which pieces were given already

    def feed(self, text: str) -> Iterator[tuple[bool, str]]:
        """(whether a line begins, its text or a piece of it)."""
        *lines, rest = text.split("\n")
        for line in lines:
            self._parts.append(line)
            yield from self._cut(whole=True)
        self._parts.append(rest)
        self._length += len(rest)
        if self._length >= _PIECE:
            yield from self._cut(whole=False)

    def close(self) -> Iterator[tuple[bool, str]]:
        """The last line, if it has no end."""
        if any(self._parts):
            yield from self._cut(whole=True)

    def _cut(self, *, whole: bool) -> Iterator[tuple[bool, str]]:
        text = "".join(self._parts)
        self._parts, self._length = [], 0
        while len(text) > _PIECE or (len(text) == _PIECE and not whole):
            yield not self.is_within, text[:_PIECE]
            self.is_within, text = True, text[_PIECE:]
        if whole:
            if text or not self.is_within:
                yield not self.is_within, text
            self.is_within = False
        else:
            self._parts, self._length = [text], len(text)


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
            except UnreachableError as error:
                log.debug("The log of pod %s broke off: %s", self._name, error)
            await asyncio.sleep(_PAUSE)

    async def rest(self, within: float) -> None:
        """Read what is left of a container that has ended; say so when that cannot be had.

        Args:
            within: seconds without a line after which it is given up.
        """
        why = f"nothing came for {within:.0f} s"
        try:
            async with asyncio.timeout(within) as limit:
                loop = asyncio.get_running_loop()

                def heard() -> None:
                    limit.reschedule(loop.time() + within)

                while True:
                    try:
                        return await self._read(follow=False, heard=heard)
                    except UnreachableError as error:
                        why = str(error)
                    except ClusterError as error:
                        why = str(error)
                        if not error.busy:
                            break
                    await asyncio.sleep(_PAUSE)
        except TimeoutError:
            pass
        self._say(
            f"The end of the step's log could not be read from the cluster ({why}). "
            "Metaflow keeps it too: `logs`."
        )

    async def _read(self, *, follow: bool, heard: Callable[[], None] = lambda: None) -> None:
        since = self._lines.since
        self._lines.restart()
        pieces, line = _Pieces(), _Line()
        try:
            async for text in self._cluster.logs(self._name, since, follow=follow):
                heard()
                turn = time.monotonic()
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

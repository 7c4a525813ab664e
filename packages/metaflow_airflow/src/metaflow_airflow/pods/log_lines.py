"""The lines of one container out of several readings of its log that overlap. Pure."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator
from datetime import datetime, timezone

from metaflow_airflow.compat.python import parse_time

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")
_BACK = 30  # seconds that a node's clock may step back while nothing is read
_REMEMBERED = 600  # seconds with lines in them
_PIECE = 64 * 1024  # characters after which a line is cut, as a process's are


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
        self._last = ""  # the last line's fraction
        self._seen_last = True
        self.has_gap = False
        """Whether this reading begins after the last known line: what stood between is lost."""

    @property
    def since(self) -> str | None:
        """Where the next reading starts; None for the beginning."""
        if self._second is None:
            return None
        return datetime.fromtimestamp(self._second - _BACK, timezone.utc).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        )

    def restart(self) -> None:
        """Another reading begins."""
        self.has_gap = False
        if self._second is None:
            return
        self._seen_last = not self._times  # of a line that broke off nothing is known
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
            self.has_gap = not self._seen_last
            self._skip_times.clear()
            self._skip_seconds.clear()
        if second != self._second:
            if self._second is not None:
                self._earlier.append((self._second, self._times.total()))
            self._second, self._times = second, Counter()
        self._times[fraction] += 1
        self._last = fraction
        return True

    def forget(self, stamp: str) -> None:
        """The last line taken broke off: the next reading gives it again, and it is new then."""
        match = _TIME.fullmatch(stamp)
        if match:
            self._times[(match[2] or "").rstrip("0")] -= 1
            self._times = +self._times
            self._last = next(reversed(self._times), "")

    def _is_known(self, second: int, fraction: str) -> bool:
        if second == self._second and self._skip_times[fraction] > 0:
            self._skip_times[fraction] -= 1
            self._seen_last = self._seen_last or fraction == self._last
            return True
        if self._skip_seconds[second] > 0:
            self._skip_seconds[second] -= 1
            return True
        return False

    def _seconds(self, text: str) -> int:
        if text != self._parsed[0]:
            self._parsed = (text, int(parse_time(text).timestamp()))
        return self._parsed[1]


class Pieces:
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

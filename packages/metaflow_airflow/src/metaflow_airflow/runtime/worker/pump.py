"""Reads the two output pipes of a process, line by line."""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Callable, Iterator

from ..output.lines import LineSplitter

_CHUNK = 64 * 1024
_TICK, _SHORT_TICK = 1.0, 0.05
_STUCK_SECONDS = 30.0
_KEPT_CHUNKS = 256


class Pump:
    """Two pipes, read line by line."""

    def __init__(self) -> None:
        self._open: dict[int, str] = {}
        self._splitters: dict[str, LineSplitter] = {}
        self._taken: deque[tuple[str, bytes]] = deque(maxlen=_KEPT_CHUNKS)
        self._dropped = 0

    def open(self) -> tuple[int, int]:
        """The ends for a process to write to; close them here once it has them."""
        write_ends = []
        for name in ("stdout", "stderr"):
            read_end, write_end = os.pipe()
            os.set_blocking(read_end, False)
            self._open[read_end] = name
            self._splitters[name] = LineSplitter()
            write_ends.append(write_end)
        return write_ends[0], write_ends[1]

    def close(self) -> None:
        """Read no more."""
        for descriptor in self._open:
            os.close(descriptor)
        self._open.clear()

    def lines(self, ended: Callable[[], bool]) -> Iterator[tuple[str, str]]:
        """All lines as (stream, line), until both pipes are closed.

        Args:
            ended: whether the process has. Somebody may still hold the pipes then; not for ever.
        """
        last: float | None = None
        while self._open:
            self._read(_TICK)
            yield from self.kept()
            if last is None and ended():
                last = time.monotonic() + _STUCK_SECONDS
            if last is not None and time.monotonic() > last:
                return

    def kept(self) -> Iterator[tuple[str, str]]:
        """The lines of what was read: the last 16 MB, if nobody asked for long, and a count."""
        if self._dropped:
            yield "stderr", f"[metaflow-airflow] {self._dropped} bytes of output were not kept"
            self._dropped = 0
        while self._taken:
            name, data = self._taken.popleft()
            splitter = self._splitters[name]
            for line in splitter.feed(data) if data else splitter.close():
                yield name, line

    def wait(self, seconds: float, ended: Callable[[], bool]) -> bool:
        """Read and keep until both pipes are closed and the process has ended; whether it has.

        May be called by a signal handler while lines() is at work in the same thread.
        """
        end = time.monotonic() + seconds
        while self._open or not ended():
            if time.monotonic() > end:
                return False
            if self._open:
                self._read(_SHORT_TICK)
            else:
                time.sleep(_SHORT_TICK)
        return True

    def _read(self, seconds: float) -> None:
        poll = select.poll()
        for descriptor in list(self._open):
            poll.register(descriptor, select.POLLIN | select.POLLHUP)
        for descriptor, _ in poll.poll(seconds * 1000):
            name = self._open.get(descriptor)
            if name is None:
                continue  # a signal handler has read to its end meanwhile (see wait)
            try:
                data = os.read(descriptor, _CHUNK)
            except BlockingIOError:
                continue  # or all that there was
            if len(self._taken) == _KEPT_CHUNKS:
                self._dropped += len(self._taken[0][1])
            self._taken.append((name, data))
            if not data:
                del self._open[descriptor]
                os.close(descriptor)

"""Follows one child of the launcher: keeps its output, ends it when asked, and what it left."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..output.log_file import LogFile
from ..output.progress import Progress
from ..output.sink import Sink
from .end_processes import end_group
from .signals import Lifeline, Signals

_CHUNK = 64 * 1024
_DRAIN_SECONDS = 5.0
_TICK = 1.0


@dataclass
class ChildStream:
    """One stream of the step: what the child writes goes to the sink and to the log."""

    source: int
    sink: Sink
    log: LogFile
    open: bool = True
    progress: Progress = field(default_factory=Progress)

    def read(self) -> bool:
        """Take what is there; whether there was any."""
        data = os.read(self.source, _CHUNK)
        if not data:
            self.open = False
            os.close(self.source)
            return False
        self.log.append(data)
        self.sink.push(self.progress.feed(data, time.monotonic()))
        return True

    def show_progress(self) -> None:
        """Pass on what a line that is drawn over shows by now."""
        self.sink.push(self.progress.tick(time.monotonic()))


@dataclass(frozen=True)
class ChildEnd:
    """How a child ended.

    Args:
        status: its exit code, negative for a signal.
        asked: the signal by which somebody ended it. worker_died: why it was ended.
    """

    status: int
    asked: int | None = None
    worker_died: bool = False


@dataclass
class ChildWatch:
    """Follows children one after the other.

    Args:
        grace: seconds between asking the child to end and killing it.
        say: writes a line of the launcher's own into the step's log.
        end_strays: kills what left the child's group.
        look: called about once a second.
    """

    signals: Signals
    lifeline: Lifeline
    grace: float
    say: Callable[[str], None]
    end_strays: Callable[[], int]
    look: Callable[[], None] = lambda: None

    def follow(self, pid: int, streams: tuple[ChildStream, ChildStream]) -> ChildEnd:
        """Wait for the child (leader of its process group) and end its whole group."""
        watched = _Watched(self, pid, streams)
        try:
            while not watched.has_ended():
                watched.step()
        finally:
            # The leader, dead or not, is not reaped yet: its group's number is nobody else's.
            end_group(pid)
            self.end_strays()
            _, status = os.waitpid(pid, 0)
        watched.drain()
        return ChildEnd(os.waitstatus_to_exitcode(status), watched.asked, watched.worker_died)


class _Watched:
    def __init__(
        self, owner: ChildWatch, pid: int, streams: tuple[ChildStream, ChildStream]
    ) -> None:
        self._owner, self._pid, self._streams = owner, pid, streams
        self._kill_at: float | None = None
        self._look_at = 0.0
        self.asked: int | None = None
        self.worker_died = False

    def has_ended(self) -> bool:
        return os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def step(self) -> None:
        self._wait()
        for number in self._owner.signals.read():
            self._ask(number)
        if not self.worker_died and self._owner.lifeline.is_cut():
            self.worker_died = True
            self._owner.say("the Airflow worker died: ending the step")
            end_group(self._pid)
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + _TICK
            self._owner.look()
            for stream in self._streams:
                stream.show_progress()
        if self._kill_at is not None and now > self._kill_at:
            self._owner.say(f"the step did not end within {self._owner.grace:g} s: killing it")
            self._kill_at = None
            end_group(self._pid)

    def drain(self) -> None:
        """Read what the dead left in the pipes, and pass it on."""
        end = time.monotonic() + _DRAIN_SECONDS
        for stream in self._streams:
            while stream.open and _readable(stream.source, 0 if _past(end) else 0.05):
                if not stream.read() or (_past(end) and stream.sink.is_full):
                    break
            if stream.open:
                # Somebody outside of the group holds the pipe: that is no more of the step.
                stream.open = False
                os.close(stream.source)
            stream.sink.push(stream.progress.close())
            while stream.sink.is_full and not _past(end):
                select.select([], [stream.sink.descriptor], [], _TICK)
                stream.sink.drain()
            if stream.sink.is_full:
                self._owner.say(
                    f"{stream.sink.waiting} bytes of output were not taken within "
                    f"{_DRAIN_SECONDS:g} s of the step's end: they are in Metaflow's log only"
                )

    def _wait(self) -> None:
        """Until something happens; passes output on meanwhile."""
        poll = select.poll()
        poll.register(self._owner.signals.descriptor, select.POLLIN)
        if self._owner.lifeline.descriptor is not None and not self.worker_died:
            poll.register(self._owner.lifeline.descriptor, select.POLLIN | select.POLLHUP)
        for stream in self._streams:
            if stream.sink.is_full:
                poll.register(stream.sink.descriptor, select.POLLOUT)
            elif stream.open:
                poll.register(stream.source, select.POLLIN | select.POLLHUP)
        ready = {descriptor for descriptor, _ in poll.poll(self._patience() * 1000)}
        for stream in self._streams:
            if stream.sink.descriptor in ready:
                stream.sink.drain()
            if stream.open and stream.source in ready:
                stream.read()

    def _patience(self) -> float:
        if self._kill_at is None:
            return _TICK
        return max(0.01, min(_TICK, self._kill_at - time.monotonic()))

    def _ask(self, number: int) -> None:
        if self.asked is None:
            self.asked = number
            self._owner.say(f"asked to end by {signal.Signals(number).name}: ending the step")
            self._end_soon()
        else:
            end_group(self._pid)

    def _end_soon(self) -> None:
        try:
            os.killpg(self._pid, signal.SIGTERM)
        except ProcessLookupError:
            return
        self._kill_at = time.monotonic() + self._owner.grace


def _readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP)
    return bool(poll.poll(seconds * 1000))


def _past(end: float) -> bool:
    return time.monotonic() > end

"""How a launcher hears that it shall end: signals, and the worker's death."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType

from ..failures import Stop

ASKING = signal.SIGTERM, signal.SIGINT, signal.SIGHUP
_LOOK_SECONDS = 0.25


class Lifeline:
    """The read end of a pipe whose write end the worker alone holds.

    Args:
        descriptor: None where nobody holds one (a pod).
    """

    def __init__(self, descriptor: int | None) -> None:
        self.descriptor = descriptor
        if descriptor is not None:
            os.set_inheritable(descriptor, False)

    def close(self) -> None:
        """In a child: it is the launcher's."""
        if self.descriptor is not None:
            os.close(self.descriptor)

    def is_cut(self) -> bool:
        """Whether the worker is gone. Never waits."""
        if self.descriptor is None:
            return False
        readable, _, _ = select.select([self.descriptor], [], [], 0)
        return bool(readable) and not os.read(self.descriptor, 1)


class Signals:
    """While a step is prepared, a signal or the worker's death raises Stop wherever the launcher
    is, in a storage that does not answer too; once it runs, signals are numbers that can be read
    from `descriptor`.
    """

    def __init__(self, lifeline: Lifeline) -> None:
        self._lifeline = lifeline
        self._number: int | None = None
        self.descriptor, self._write_end = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._write_end, False)
        signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        for number in ASKING:
            signal.signal(number, self._asked)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        # Python looks for a dead worker between two steps of a long import or download.
        signal.signal(signal.SIGALRM, self._look)
        self.begin_raising()

    def begin_raising(self) -> None:
        """From here on they raise Stop, what came before as well."""
        self._raising = True
        signal.setitimer(signal.ITIMER_REAL, _LOOK_SECONDS, _LOOK_SECONDS)

    def stop_raising(self) -> None:
        """From here on the caller reads them."""
        self._raising = False
        signal.setitimer(signal.ITIMER_REAL, 0)

    def read(self) -> list[int]:
        """The signals that came since."""
        try:
            return [number for number in os.read(self.descriptor, 4096) if number in ASKING]
        except BlockingIOError:
            return []

    def leave(self) -> None:
        """In a child: signals do what they do to any program."""
        signal.set_wakeup_fd(-1)
        for number in (*ASKING, signal.SIGCHLD, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.close(self.descriptor)
        os.close(self._write_end)
        if self._number is not None:
            # It came for the child while the launcher's handler was still in place.
            os.kill(os.getpid(), self._number)

    def _asked(self, number: int, _frame: FrameType | None) -> None:
        self._number = number
        if self._raising:
            raise Stop(number)

    def _look(self, _number: int, _frame: FrameType | None) -> None:
        # Again and again, for code that swallowed it the first time.
        if self._raising and (self._number is not None or self._lifeline.is_cut()):
            raise Stop(self._number)

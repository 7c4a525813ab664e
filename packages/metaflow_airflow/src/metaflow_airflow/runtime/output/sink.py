"""Where the launcher passes the step's output on: its own stdout and stderr, never waited for."""

from __future__ import annotations

import os
import select
import stat

_AT_ONCE = 4096
"""Bytes that a pipe takes without waiting when it is ready for any (PIPE_BUF)."""


class Sink:
    """One of the launcher's own streams.

    The descriptor stays as it is (others may share it): no O_NONBLOCK, but small writes when ready.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._pending = bytearray()
        self._closed = False
        mode = os.fstat(descriptor).st_mode
        self._waits = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)

    @property
    def is_full(self) -> bool:
        """Whether the reader is behind: what fills this sink should wait."""
        return self.waiting > 0

    @property
    def waiting(self) -> int:
        """Bytes that the reader has not taken yet."""
        return len(self._pending)

    def push(self, data: bytes) -> None:
        """Pass on, now or as soon as the reader takes it; a reader that is gone gets nothing."""
        if not self._closed:
            self._pending += data
            self.drain()

    def drain(self) -> None:
        """Pass on what the reader takes now."""
        while self._pending and self._is_ready():
            try:
                count = os.write(
                    self.descriptor, self._pending[: _AT_ONCE if self._waits else None]
                )
            except OSError:
                self._closed = True
                self._pending.clear()
                return
            del self._pending[:count]

    def _is_ready(self) -> bool:
        if not self._waits:
            return True
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        return bool(poll.poll(0))

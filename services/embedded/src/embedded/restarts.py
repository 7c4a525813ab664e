"""Which servers that died are started again, and what is kept of their ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

_TIMES, _SECONDS = 3, 600.0
_KEPT = 20


class Restarts:
    """Three times in ten minutes: one that dies more often has a reason that a start does not mend.

    Args:
        clock: seconds, on any scale.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._starts: dict[str, list[float]] = {}
        self.given_up: set[str] = set()
        self.ends: list[dict[str, Any]] = []
        """The last ends: number, server, at, report."""
        self._number = 0

    def note(self, name: str, report: str) -> bool:
        """Keep the end of a server; say whether to start it again."""
        self._number += 1
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self.ends.append({"number": self._number, "server": name, "at": at, "report": report})
        del self.ends[:-_KEPT]
        now = self._clock()
        starts = [at for at in self._starts.get(name, []) if now - at < _SECONDS]
        if len(starts) >= _TIMES:
            self.given_up.add(name)
            return False
        self._starts[name] = [*starts, now]
        return True

    def begin_anew(self) -> None:
        """Somebody asked for all servers: count from nothing."""
        self._starts.clear()
        self.given_up.clear()

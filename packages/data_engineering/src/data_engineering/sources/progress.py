"""How far a transfer is, told to the log."""

from __future__ import annotations

import logging
import time

log = logging.getLogger(__name__)

MEGABYTE = 1_000_000


class Progress:
    """Tells the log how far a transfer is: bytes, share and rate, every few seconds."""

    def __init__(self, what: str, total: int | None, every: float) -> None:
        self._what, self._total, self._every = what, total, every
        self._began = self._told = time.monotonic()
        self.done = 0

    def add(self, size: int) -> None:
        """Note that `size` more bytes arrived."""
        self.done += size
        if time.monotonic() - self._told >= self._every:
            self._told = time.monotonic()
            of = ""
            if self._total:
                share = 100 * self.done / self._total
                of = f" of {self._total / MEGABYTE:,.1f} MB ({share:.0f} %)"
            log.info("%s: %.1f MB%s, %s", self._what, self.done / MEGABYTE, of, self._rate())

    def end(self) -> None:
        """Say how much it was and how long it took."""
        seconds = time.monotonic() - self._began
        log.info(
            "%s: %.1f MB in %.1f s, %s", self._what, self.done / MEGABYTE, seconds, self._rate()
        )

    def _rate(self) -> str:
        seconds = max(time.monotonic() - self._began, 1e-3)
        return f"{self.done / MEGABYTE / seconds:.1f} MB/s"

"""Looking at something again and again while something else is measured."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Self


class Watcher(ABC):
    """Looks every `interval` seconds within a `with` block, from a thread of its own."""

    interval: float

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    @abstractmethod
    def look(self) -> None:
        """Look once."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(self.interval):
            self.look()

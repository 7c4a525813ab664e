"""How many pods may be there at once: Airflow's pools do not count what no worker runs."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class _Queue:
    limit: int | None
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Slots:
    """Lets a step create its pod when its DAG run and this triggerer have room.

    The runs take turns; within a run who came first goes first.

    Args:
        live: counts the pods that are not over, by DAG run.
        most: pods that there may be at once.
    """

    def __init__(self, live: Callable[[], Counter[str]], most: int) -> None:
        self._live = live
        self._most = most
        self._creating: Counter[str] = Counter()
        self._queues: dict[str, _Queue] = {}

    @asynccontextmanager
    async def slot(self, run: str, limit: int | None) -> AsyncIterator[None]:
        """Wait for room, and hold it until the pod is known.

        Args:
            run: the DAG run. limit: its pods at once; None for no limit of its own.
        """
        queue = self._queues.setdefault(run, _Queue(limit))
        queue.limit = limit
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.waiting.append(turn)
        self.changed()
        try:
            await turn
            yield
        finally:
            if turn.done() and not turn.cancelled():
                self._creating[run] -= 1
            else:
                queue.waiting.remove(turn)
            self.changed()

    def changed(self) -> None:
        """Give room to whom it is there for; to be called when a pod came or ended."""
        if not self._queues:
            return
        taken = self._live() + self._creating
        granted = True
        while granted and taken.total() < self._most:
            granted = False
            for run, queue in list(self._queues.items()):
                if not queue.waiting:
                    del self._queues[run]
                elif taken.total() < self._most and (
                    queue.limit is None or taken[run] < queue.limit
                ):
                    queue.waiting.popleft().set_result(None)
                    self._queues[run] = self._queues.pop(run)  # the others come first next time
                    self._creating[run] += 1
                    taken[run] += 1
                    granted = True

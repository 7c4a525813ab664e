"""How many pods may be there at once: Airflow's pools do not count what no worker runs."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from metaflow_airflow.pods.cluster_errors import ConnectError

MAX_PODS_VARIABLE = "METAFLOW_AIRFLOW_MAX_PODS"
_MAX_PODS = 100


def most_pods(environ: Mapping[str, str]) -> int:
    """How many pods one triggerer may have at once.

    Raises:
        ConnectError: the variable that says so is no such number.
    """
    said = environ.get(MAX_PODS_VARIABLE) or str(_MAX_PODS)
    if not said.isdecimal() or int(said) == 0:
        raise ConnectError(
            f"{MAX_PODS_VARIABLE} is {said!r} in the triggerer's environment: give a whole number "
            f"above 0, or none for {_MAX_PODS}."
        )
    return int(said)


@dataclass
class _Queue:
    limit: int | None
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    def next(self) -> asyncio.Future[None] | None:
        """Who waits longest; whoever was cancelled waits no more, though it has not run since."""
        while self.waiting and self.waiting[0].done():
            self.waiting.popleft()
        return self.waiting[0] if self.waiting else None


class Slots:
    """Lets a step create its pod when its DAG run and this triggerer have room.

    The runs take turns; within a run who came first goes first.

    Args:
        most: pods that this triggerer may have at once, in all namespaces.
    """

    def __init__(self, most: int = _MAX_PODS) -> None:
        self._most = most
        self._sources: list[Callable[[], Iterable[tuple[str, bool]]]] = []
        self._creating: Counter[str] = Counter()
        self._queues: dict[str, _Queue] = {}

    def count(self, live: Callable[[], Iterable[tuple[str, bool]]]) -> None:
        """Count further pods.

        Args:
            live: for each that is not over its DAG run, and whether it is this triggerer's.
        """
        self._sources.append(live)

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
            elif turn in queue.waiting:
                queue.waiting.remove(turn)
            self.changed()

    def changed(self) -> None:
        """Give room to whom it is there for; to be called when a pod came or ended."""
        if not self._queues:
            return
        taken, mine = self._taken()
        granted = True
        while granted and mine < self._most:
            granted = False
            for run, queue in list(self._queues.items()):
                turn = queue.next()
                if turn is None:
                    del self._queues[run]
                elif mine < self._most and (queue.limit is None or taken[run] < queue.limit):
                    queue.waiting.popleft()
                    turn.set_result(None)
                    self._queues[run] = self._queues.pop(run)  # the others come first next time
                    self._creating[run] += 1
                    taken[run] += 1
                    mine += 1
                    granted = True

    def _taken(self) -> tuple[Counter[str], int]:
        """The pods of each DAG run, and those of this triggerer."""
        taken = Counter(self._creating)
        mine = self._creating.total()
        for live in self._sources:
            for run, is_mine in live():
                taken[run] += 1
                mine += is_mine
        return taken, mine

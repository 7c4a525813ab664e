"""Starts one server outside the supervisor, and stops it."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded import processes
from embedded.errors import NotReadyError
from embedded.servers.base import Running, Server
from listening import listening


class Started:
    """A server that runs; `kill` takes it away as a power cut of the process would."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._loop = asyncio.new_event_loop()
        self.running: Running = self._loop.run_until_complete(server.start())
        server.running = self.running
        deadline = time.monotonic() + server.deadline
        while (problem := self._problem()) is not None:
            assert time.monotonic() < deadline, f"{server.name}: {problem}"
            time.sleep(0.1)
        server.set_up()

    def _problem(self) -> NotReadyError | None:
        try:
            self.server.probe()
        except NotReadyError as error:
            return error
        return None

    def kill(self) -> None:
        processes.send(processes.tree(self.running.pid)[:1], signal.SIGKILL)
        self._loop.run_until_complete(self.running.wait())
        self.server.running = None

    def stop(self) -> None:
        self._loop.run_until_complete(self.server.stop())
        self._loop.close()

    def listens_on(self) -> set[str]:
        """The addresses that the server's processes listen on."""
        return listening(process.pid for process in processes.tree(self.running.pid))


@contextmanager
def started(server: Server) -> Iterator[Started]:
    running = Started(server)
    try:
        yield running
    finally:
        running.stop()


def environment(state: Path) -> dict[str, str]:
    return {**os.environ, processes.MARK: str(state)}

"""What every server of the stack has in common: start, ready, stop, describe."""

from __future__ import annotations

import asyncio
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from embedded import processes
from embedded.errors import StackError


class Running(Protocol):
    """A process that was started: its pid, and its end."""

    pid: int

    async def wait(self) -> int:
        """Return the exit code when the process ends; minus the signal that killed it."""
        ...


class Server(ABC):
    """One server: how it is started, known to be ready, stopped and described.

    `needs` names the servers that must be ready first, `deadline` how many seconds it may take
    to become ready, `probe_seconds` how often to ask until then, `grace` how many seconds it may
    take to stop before it is killed with all that it started.
    """

    name: str
    needs: tuple[str, ...] = ()
    deadline: float = 120.0
    probe_seconds: float = 0.1
    grace: float = 5.0
    stop_signal: signal.Signals = signal.SIGTERM

    def __init__(self, log: Path) -> None:
        self.log = log
        self.running: Running | None = None

    @abstractmethod
    async def start(self) -> Running:
        """Start the process and return it at once; raises StackError when it cannot start."""

    @abstractmethod
    def probe(self) -> None:
        """Ask the server whether it can work (blocking, seconds at most).

        Raises NotReadyError with what it said.
        """

    def set_up(self) -> None:  # noqa: B027 - most servers need nothing
        """Make what clients expect of a ready server, such as a bucket (blocking, repeatable)."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return what an operator looks for: URL, version, files. No secret."""

    async def stop(self) -> None:
        """Stop the process and whatever it started."""
        if self.running is None:
            return
        family = processes.tree(self.running.pid)
        processes.send(family[:1], self.stop_signal)
        try:
            await asyncio.wait_for(asyncio.shield(self.running.wait()), self.grace)
        except TimeoutError:
            processes.send(family[:1], signal.SIGKILL)
            await self.running.wait()
        processes.send(family[1:], signal.SIGKILL)


class Program:
    """A program started by this process; its output goes to a log file."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def wait(self) -> int:
        """Return the exit code when the program ends; minus the signal that killed it."""
        return await self._process.wait()

    @classmethod
    async def start(
        cls, command: Sequence[str], *, log: Path, env: Mapping[str, str], cwd: Path
    ) -> Program:
        """Start `command` in a session of its own, so that a Ctrl-C does not reach it.

        Raises StackError when there is no such program.
        """
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            raise StackError(f"cannot start {command[0]}: {error.strerror}") from error
        finally:
            os.close(descriptor)
        return cls(process)

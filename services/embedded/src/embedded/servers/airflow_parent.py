"""The process that Airflow's servers are forked from, as the supervisor handles it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from embedded import processes
from embedded.errors import NotReadyError, StackError
from embedded.servers import forkserver
from embedded.servers.base import Program, Running, Server

PARENT = "airflow-parent"


class Forked:
    """A process that the parent forked; the parent reports its end."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        """Return the exit code when the process ends; minus the signal that killed it."""
        return await asyncio.shield(self._ended)

    def ended(self, code: int) -> None:
        """Take the parent's report."""
        if not self._ended.done():
            self._ended.set_result(code)


class AirflowParent(Server):
    """The process that imports Airflow once and forks its servers (see forkserver.py)."""

    name = PARENT
    deadline = 300.0  # a busy machine took more than 120 s to compile and import Airflow

    def __init__(self, *, home: Path, log: Path, env: dict[str, str]) -> None:
        super().__init__(log)
        self._home = home
        self._env = env
        self._process: asyncio.subprocess.Process | None = None
        self._loaded = asyncio.Event()
        self._forks: dict[str, asyncio.Future[Forked]] = {}
        self._children: dict[int, Forked] = {}
        self._reader: asyncio.Task[None] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What it and its servers are started with."""
        return dict(self._env)

    async def start(self) -> Running:
        """Start the process; it imports Airflow for some seconds before it answers."""
        self._loaded.clear()
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", forkserver.__name__,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=descriptor,
                env=self._env, cwd=self._home, start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(descriptor)
        self._reader = asyncio.create_task(self._read(self._process))
        return Program(self._process)

    def probe(self) -> None:
        """Ask whether Airflow is imported."""
        if not self._loaded.is_set():
            raise NotReadyError("still importing Airflow")

    async def fork(self, name: str, argv: Sequence[str], *, log: Path) -> Forked:
        """Fork a child that prepares itself and then waits for `go`."""
        self._forks[name] = asyncio.get_running_loop().create_future()
        self._send({"fork": name, "argv": list(argv), "log": str(log)})
        return await self._forks[name]

    def go(self, name: str) -> None:
        """Let the forked child run its command."""
        self._send({"go": name})

    def describe(self) -> dict[str, Any]:
        """Return the version of Airflow."""
        return {"version": version("apache-airflow")}

    def _send(self, command: dict[str, Any]) -> None:
        if self._process is None or self._process.stdin is None or self._process.returncode:
            raise StackError(f"{PARENT} does not run: its log is {self.log}")
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            raise StackError(f"{PARENT} was started without a pipe")
        async for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "loaded":
                self._loaded.set()
            elif event["event"] == "forked":
                child = self._children[event["pid"]] = Forked(event["pid"])
                self._forks.pop(event["name"]).set_result(child)
            else:
                self._children.pop(event["pid"]).ended(event["code"])
        await self._bury()

    async def _bury(self) -> None:
        """After the parent's death: nobody reports the children's ends, so end them."""
        error = StackError(f"{PARENT} ended: its log is {self.log}")
        for fork in self._forks.values():
            if not fork.done():
                fork.set_exception(error)
        self._forks.clear()
        for pid, child in list(self._children.items()):
            await asyncio.to_thread(processes.end, processes.tree(pid))
            child.ended(-9)
        self._children.clear()

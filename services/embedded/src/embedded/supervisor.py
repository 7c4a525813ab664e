"""The process that owns a stack's servers: starts, watches and stops them.

`stack up` starts it in the background. It writes what it knows to stack.json, starts what is
missing at SIGUSR1 and stops everything at SIGTERM. A server that ends by itself is reported there
with the end of its log, and started again, but for one that dies again and again (`restarts.py`):
`stack up` starts that one too. The runs of Airflow go on then.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

from embedded import processes, rotation
from embedded.errors import NotReadyError, StackError
from embedded.fleet import build
from embedded.restarts import Restarts
from embedded.servers.airflow import AirflowServer
from embedded.servers.airflow_parent import PARENT
from embedded.servers.base import Server
from embedded.servers.forked import DATABASE
from embedded.state import Json, State

_POLL_SECONDS = 0.05
_HEALTH_SECONDS = 5.0
log = logging.getLogger("supervisor")
# A server counts as unhealthy when this many health checks in a row went wrong.
_UNHEALTHY_AFTER = 3
# An unhealthy server counts as there: a busy machine makes heartbeats late.
_THERE = {"ready", "unhealthy"}


class Supervisor:
    """One stack while it runs."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.fleet = build(state)
        self.servers = self.fleet.servers
        self._info: dict[str, Json] = {
            server.name: {
                "state": "stopped", "pid": None, "log": str(server.log), **server.describe()
            }
            for server in self.servers
        }  # fmt: skip
        self._failures = dict.fromkeys(self._info, 0)
        self._restarts = Restarts()
        self._watchers: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._start = asyncio.Event()
        self._phase = "starting"
        self._round = 0
        self._error: str | None = None

    async def run(self) -> None:
        """Bring the servers up and keep them until SIGTERM."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGUSR1, self._start_all)
        self._start.set()
        stopped = asyncio.create_task(self._stop.wait())
        first = True
        while not self._stop.is_set():
            if self._start.is_set():
                self._start.clear()
                up = asyncio.create_task(self._bring_up())
                await asyncio.wait({up, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if not up.done():
                    up.cancel()
                    await asyncio.gather(up, return_exceptions=True)
                    break
                if not up.result() and first:
                    break
                first = False
            started = asyncio.create_task(self._start.wait())
            await asyncio.wait(
                {started, stopped}, timeout=_HEALTH_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            started.cancel()
            if not self._stop.is_set() and not self._start.is_set():
                await self._check_health()
                for path in rotation.trim(self.state.folder("logs")):
                    log.info("%s was long: its end stays", path)
        await self._take_down()

    def _start_all(self) -> None:
        self._restarts.begin_anew()
        self._start.set()

    async def _bring_up(self) -> bool:
        """Start the servers that do not run and are not given up; say whether all are ready."""
        await self._notice_ends()
        self._phase, self._error = "starting", None
        self._round += 1
        missing = [
            server
            for server in self.servers
            if self._info[server.name]["state"] in ("stopped", "crashed")
            and server.name not in self._restarts.given_up
        ]
        for server in missing:
            self._set(server, state="waiting", exit=None, report=None, seconds=None)
        tasks = [asyncio.create_task(self._start_server(s), name=s.name) for s in missing]
        tasks.append(asyncio.create_task(self._prepare_airflow(missing), name=DATABASE))
        try:
            done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            errors = [_error_text(task) for task in done if task.exception() is not None]
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        if errors:
            self._error = "\n".join(errors)
            await self._give_up(missing)
        self._settle()
        return not errors

    async def _notice_ends(self) -> None:
        """Wait until the end of each server that was just killed has been reported."""
        while any(
            server.running and not processes.is_alive(server.running.pid) for server in self.servers
        ):
            await asyncio.sleep(_POLL_SECONDS)

    async def _give_up(self, servers: list[Server]) -> None:
        """Stop what was started in vain."""
        for server in servers:
            if self._info[server.name]["state"] in ("waiting", "starting"):
                self._set(server, state="stopped", pid=None)
                await server.stop()

    async def _start_server(self, server: Server) -> None:
        """Start one server as soon as those it needs are ready, and wait until it is."""
        began = time.monotonic()
        # Airflow's servers import while the database is made; they are let go when it is there.
        needs = (PARENT,) if isinstance(server, AirflowServer) else server.needs
        await self._until_ready(needs)
        self._set(server, state="starting", since=datetime.now(UTC).isoformat(timespec="seconds"))
        server.running = await server.start()
        self._set(server, pid=server.running.pid)
        self._watch(server)
        await self._until_answers(server)
        await asyncio.to_thread(server.set_up)
        self._set(server, state="ready", seconds=round(time.monotonic() - began, 1))

    async def _prepare_airflow(self, missing: list[Server]) -> None:
        """Make or migrate Airflow's tables, then let the waiting Airflow servers go."""
        waiting = [s for s in missing if isinstance(s, AirflowServer)]
        if not waiting:
            return
        await self._until_ready(waiting[0].needs)
        output = self.state.log(f"airflow-{DATABASE}")
        dead = [s.job_type for s in waiting if s.job_type]
        job = await self.fleet.parent.fork(DATABASE, dead, log=output)
        self.fleet.parent.go(DATABASE)
        code = await job.wait()
        if code != 0:
            raise StackError(self._ended(f"airflow-{DATABASE}", code, output))
        for server in waiting:
            while server.running is None:
                await asyncio.sleep(_POLL_SECONDS)
            server.go()

    async def _until_ready(self, names: tuple[str, ...]) -> None:
        while not {self._info[name]["state"] for name in names} <= _THERE:
            for name in names:
                if self._info[name]["state"] == "crashed":
                    raise StackError(self._info[name]["report"])
            await asyncio.sleep(_POLL_SECONDS)

    async def _until_answers(self, server: Server) -> None:
        deadline = time.monotonic() + server.deadline
        while True:
            try:
                await asyncio.to_thread(server.probe)
            except NotReadyError as error:
                reason = str(error)
            else:
                return
            if self._info[server.name]["state"] == "crashed":
                raise StackError(self._info[server.name]["report"])
            if time.monotonic() > deadline:
                end = "\n".join(processes.log_end(server.log))
                raise StackError(
                    f"{server.name} was not ready after {server.deadline:.0f} s: {reason}\n"
                    f"The end of {server.log}:\n{end}"
                )
            await asyncio.sleep(server.probe_seconds)

    def _watch(self, server: Server) -> None:
        watcher = asyncio.create_task(self._report_end(server))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    async def _report_end(self, server: Server) -> None:
        """Wait for the end of a server; one that was not asked for is a crash."""
        if server.running is None:
            raise StackError(f"{server.name} was never started")
        code = await server.running.wait()
        server.running = None
        if self._phase == "stopping" or self._info[server.name]["state"] == "stopped":
            self._set(server, state="stopped", pid=None)
            return
        report = self._ended(server.name, code, server.log)
        again = self._restarts.note(server.name, report)
        self._set(
            server, state="crashed", pid=None, exit=processes.exit_text(code), report=report,
            given_up=not again,
        )  # fmt: skip
        if again:
            self._start.set()
        else:
            self._settle()

    async def _check_health(self) -> None:
        """Probe every server, and end what a dead one left: as subreaper, this process has it."""
        mine = {server.running.pid for server in self.servers if server.running}
        for pid in processes.children() - mine:
            await asyncio.to_thread(processes.end, processes.tree(pid))
        there = [s for s in self.servers if self._info[s.name]["state"] in _THERE]
        await asyncio.gather(*(self._check(server) for server in there))
        self._settle()

    async def _check(self, server: Server) -> None:
        """Probe one server; note when it has not answered for long, or answers again."""
        try:
            await asyncio.to_thread(server.probe)
        except NotReadyError as error:
            if self._info[server.name]["state"] not in _THERE:
                return  # it died meanwhile, which says more
            self._failures[server.name] += 1
            if self._failures[server.name] >= _UNHEALTHY_AFTER:
                self._set(server, state="unhealthy", report=f"does not answer: {error}")
        else:
            self._failures[server.name] = 0
            if self._info[server.name]["state"] == "unhealthy":
                self._set(server, state="ready", report=None)

    async def _take_down(self) -> None:
        """Stop Airflow, then what it needs, then whatever is still there."""
        self._phase = "stopping"
        self._write()
        await asyncio.gather(*(server.stop() for server in self.fleet.airflow))
        await asyncio.gather(*(s.stop() for s in self.servers if s not in self.fleet.airflow))
        left = [p for p in processes.marked(self.state.root) if p.pid != os.getpid()]
        await asyncio.to_thread(processes.end, left)
        self._phase = "failed" if self._error else "stopped"
        for info in self._info.values():
            if info["state"] != "crashed":
                info.update(state="stopped", pid=None)
        self._write()

    def _settle(self) -> None:
        """Sum the servers' states up to one word, and write them down."""
        states = {info["state"] for info in self._info.values()}
        if self._phase != "stopping":
            if states <= _THERE:
                self._phase = "ready"
            elif not states & {"waiting", "starting"}:
                self._phase = "degraded"
        self._write()

    def _ended(self, name: str, code: int, output: Path) -> str:
        end = "\n".join(processes.log_end(output))
        return f"{name} ended: {processes.exit_text(code)}. The end of {output}:\n{end}"

    def _set(self, server: Server, **change: object) -> None:
        if "state" in change:
            log.info("%s: %s", server.name, change["state"])
        self._info[server.name].update(change)
        self._write()

    def _write(self) -> None:
        content = self.state.read()
        content.update(
            phase=self._phase, round=self._round, error=self._error, servers=self._info,
            ends=self._restarts.ends,
            supervisor={"pid": os.getpid(), "log": str(self.state.log("supervisor"))},
        )  # fmt: skip
        self.state.write(content)


def _error_text(task: asyncio.Task[None]) -> str:
    error = task.exception()
    return str(error) if isinstance(error, StackError) else f"{task.get_name()}: {error!r}"

"""The parent of Airflow's processes: imports Airflow once, and forks a server at a command.

Four `airflow` commands import the same 1,400 modules four times, which takes two cores 13 s and
costs 250 MB more. Forked from one parent they share both. The supervisor talks to this program in
lines of JSON, on standard input:

    {"fork": NAME, "argv": [...], "log": FILE}    fork; the child prepares itself and waits
    {"go": NAME}                                  the child runs `airflow ARGV`

and reads on standard output `{"event": "loaded"}`, `{"event": "forked", "name", "pid"}` and
`{"event": "exited", "name", "pid", "code"}` (minus the signal that killed it). When the supervisor
is gone, so are this program and every child.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import importlib
import json
import os
import selectors
import signal
import sys
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

import psutil
from setproctitle import setproctitle

from embedded import processes

# What the servers share. The API belongs to it: the triggerer serves itself from a second one.
PRELOAD = (
    "airflow.configuration",
    "airflow",
    "airflow.__main__",
    "airflow.cli.commands.scheduler_command",
    "airflow.cli.commands.dag_processor_command",
    "airflow.cli.commands.triggerer_command",
    "airflow.utils.db",
    "airflow.api_fastapi.main",
    # Workers are forks of the scheduler: what most tasks import.
    "airflow.providers.standard.operators.trigger_dagrun",
    "airflow.sdk.definitions.decorators",
    "boto3",
)
DATABASE = "database"
API_SERVER = "api-server"
_STRAY_CHECK_SECONDS = 5.0


@dataclass(frozen=True)
class Job:
    """What a child becomes once it may go."""

    name: str
    argv: list[str]
    log: str
    gate: int


class Parent:
    """The loop between the supervisor's commands and the children's ends."""

    def __init__(self, commands: int, events: int) -> None:
        self._commands = commands
        self._events = events
        self._buffer = b""
        self._names: dict[int, str] = {}
        self._gates: dict[str, int] = {}
        self._wakeup = os.pipe()
        os.set_blocking(self._wakeup[0], False)
        os.set_blocking(self._wakeup[1], False)

    def serve(self) -> Job | None:
        """Run until the supervisor hangs up (None), or return a job: then this is a child."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(self._wakeup[1])
        self._say(event="loaded")
        with selectors.DefaultSelector() as selector:
            selector.register(self._commands, selectors.EVENT_READ)
            selector.register(self._wakeup[0], selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select(_STRAY_CHECK_SECONDS)}
                if self._wakeup[0] in ready:
                    os.read(self._wakeup[0], 4096)
                self._reap()
                if self._commands in ready:
                    lines = self._read()
                    if lines is None:
                        processes.end(processes.tree(os.getpid())[1:])
                        return None
                    for line in lines:
                        job = self._obey(json.loads(line))
                        if job is not None:
                            return job

    def _read(self) -> list[bytes] | None:
        chunk = os.read(self._commands, 65536)
        if not chunk:
            return None
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        return lines

    def _obey(self, command: dict[str, Any]) -> Job | None:
        if "go" in command:
            gate = self._gates.pop(command["go"])
            try:
                os.write(gate, b"1")
            except BrokenPipeError:
                pass  # it died waiting; its end is reported on its own
            finally:
                os.close(gate)
            return None
        name = command["fork"]
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            for descriptor in (write_end, *self._gates.values(), *self._wakeup):
                os.close(descriptor)
            os.close(self._commands)
            os.close(self._events)
            return Job(name, command["argv"], command["log"], read_end)
        os.close(read_end)
        self._gates[name] = write_end
        self._names[pid] = name
        self._say(event="forked", name=name, pid=pid)
        return None

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                break
            name = self._names.pop(pid, None)
            if name is not None:
                self._end_strays()
                code = os.waitstatus_to_exitcode(status)
                self._say(event="exited", name=name, pid=pid, code=code)
        self._end_strays()

    def _end_strays(self) -> None:
        """Kill what dead servers and workers left: as subreaper, this process inherits it.

        A step that outlives its worker would write beside the retry that replaces it.
        """
        for child in psutil.Process().children():
            if child.pid not in self._names:
                processes.send(processes.tree(child.pid), signal.SIGKILL)

    def _say(self, **event: Any) -> None:
        os.write(self._events, json.dumps(event).encode() + b"\n")


def become(job: Job) -> NoReturn:
    """Turn this fork into the server that the job names, and end with it.

    Without Python's own way out, which frees every object one by one: three seconds, and a copy
    of each page that was shared.
    """
    code = 1
    try:
        _run(job)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - what Python itself would print at the end
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(job: Job) -> None:
    os.setsid()
    setproctitle(f"airflow {job.name}")
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    if job.name == API_SERVER:
        warm_api_server()
    allowed = os.read(job.gate, 1)
    os.close(job.gate)
    if not allowed:
        return  # the parent died
    if job.name == DATABASE:
        prepare_database(job.argv)
    else:
        run_airflow(job.argv)


def warm_api_server() -> None:
    """Build the versions of the API that tasks use.

    Airflow builds them at the first request: four seconds that no task need wait for.
    """
    import httpx

    gc.disable()  # it finds nothing here, and looking takes a third of the time
    from airflow.api_fastapi.main import app

    async def ask() -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            (await client.get("/execution/health")).raise_for_status()

    asyncio.run(ask())
    gc.collect()
    gc.freeze()
    gc.enable()


def run_airflow(argv: list[str]) -> None:
    """Run `airflow ARGV` in this process."""
    from airflow import __main__ as airflow

    sys.argv = ["airflow", *argv]
    airflow.main()  # type: ignore[no-untyped-call]


def prepare_database(dead: list[str]) -> None:
    """Make or migrate the tables, and write off the jobs of servers known to be `dead`.

    Airflow waits for a heartbeat to grow old before another scheduler or triggerer takes over;
    here the supervisor knows at once. `dead` are Airflow's job types, such as "SchedulerJob".
    """
    run_airflow(["db", "migrate"])
    from airflow.jobs.job import Job as AirflowJob
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        session.execute(
            update(AirflowJob)
            .where(AirflowJob.job_type.in_(dead), AirflowJob.end_date.is_(None))
            .values(state="failed", end_date=datetime.now(UTC))
        )


def main() -> None:
    """Load Airflow and serve; in a child, run its job."""
    commands, events = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)  # what imports print goes to the log, not between the events
    processes.become_subreaper()
    gc.disable()
    for module in PRELOAD:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # the collector would touch, and so copy, every shared page
    gc.enable()
    job = Parent(commands, events).serve()
    if job is not None:
        become(job)


if __name__ == "__main__":
    main()

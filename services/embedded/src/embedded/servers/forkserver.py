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

import gc
import importlib
import json
import os
import selectors
import signal
from typing import Any

import psutil

from embedded import processes
from embedded.servers.forked import LOST, SCHEDULER, Job, become

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
_STRAY_CHECK_SECONDS = 5.0


class Parent:
    """The loop between the supervisor's commands and the children's ends."""

    def __init__(self, commands: int, events: int) -> None:
        self._commands = commands
        self._events = events
        self._buffer = b""
        self._names: dict[int, str] = {}
        self._gates: dict[str, int] = {}
        self._lost: set[int] = set()
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
                if self._lost and (job := self._write_off()) is not None:
                    return job
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
        job, pid = self._fork(command["fork"], command["argv"], command["log"])
        if job is None:
            self._say(event="forked", name=command["fork"], pid=pid)
        return job

    def _fork(self, name: str, argv: list[str], log: str) -> tuple[Job | None, int]:
        """Fork; return the job in the child, and the child's pid in the parent."""
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            for descriptor in (write_end, *self._gates.values(), *self._wakeup):
                os.close(descriptor)
            os.close(self._commands)
            os.close(self._events)
            return Job(name, argv, log, read_end), pid
        os.close(read_end)
        self._gates[name] = write_end
        self._names[pid] = name
        return None, pid

    def _write_off(self) -> Job | None:
        """Have Airflow told which tasks' processes lost their worker: it would wait for a heartbeat
        as long as for a server that is away. After the scheduler's death it takes them over."""
        lost, self._lost = sorted(self._lost), set()
        if SCHEDULER not in self._names.values() or LOST in self._names.values():
            return None
        job, _ = self._fork(LOST, [str(pid) for pid in lost], os.devnull)
        if job is None:
            os.write(self._gates[LOST], b"1")
            os.close(self._gates.pop(LOST))
        return job

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                break
            name = self._names.pop(pid, None)
            if name is None:
                self._lost.add(pid)
            elif name != LOST:
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
                self._lost.add(child.pid)
                processes.send(processes.tree(child.pid), signal.SIGKILL)

    def _say(self, **event: Any) -> None:
        os.write(self._events, json.dumps(event).encode() + b"\n")


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

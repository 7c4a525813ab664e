"""A stack as its user handles it: status, environment, up, down."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from embedded import caller, fleet, flows_env, processes, status
from embedded.environment import base_environment, deployer_environment, stack_environment
from embedded.ports import HOST
from embedded.start import DOWN_WAIT, POLL, SUPERVISOR, Report, Start
from embedded.state import Json, State

_UP_WAIT = 600.0


def silent(name: str, text: str) -> None:
    """Report nothing."""


class Stack:
    """The stack in one state directory; `report(name, text)` hears what happens to it."""

    def __init__(self, folder: Path, report: Report = silent) -> None:
        self.state = State.at(folder)
        self._report = report
        self._told: dict[str, str] = {}
        self.workspace = flows_env.workspace()

    # -- what it is

    @property
    def is_running(self) -> bool:
        """Whether a supervisor owns this stack."""
        return status.is_running(self.state)

    def status(self) -> Json:
        """Return stack.json, corrected where its supervisor is gone: phase, servers, ports."""
        return status.status(self.state)

    def failures(self) -> list[tuple[str, str]]:
        """Return (name, report with the end of its log) of each server that stays dead."""
        return status.failures(self.state)

    def ends(self) -> list[Json]:
        """Return the last ends of servers that were started again: number, server, at, report."""
        return status.ends(self.state)

    @property
    def airflow_url(self) -> str:
        """Where Airflow's API and user interface are."""
        return f"http://{HOST}:{self.state.read()['ports']['airflow']}"

    @property
    def airflow_login(self) -> tuple[str, str]:
        """User name and password of Airflow's administrator."""
        login = self.state.credentials()["airflow"]
        return login["username"], login["password"]

    @property
    def dags_folder(self) -> Path:
        """Where exported flows go."""
        return self.state.folder("dags")

    @property
    def logs_folder(self) -> Path:
        """Where the logs of the stack's servers and of the pipeline are."""
        return self.state.folder("logs")

    def environment(self) -> dict[str, str]:
        """Return the whole environment for a flow command against this stack."""
        ports, credentials = self.state.read()["ports"], self.state.credentials()
        return base_environment(self.state) | deployer_environment(self.state, ports, credentials)

    def server_environment(self) -> dict[str, str]:
        """Return the whole environment of Airflow's servers: for its own commands."""
        return fleet.airflow_environment(self.state)

    def step_environment(self) -> dict[str, str]:
        """Return what the stack adds to the environment of a flow step: it may publish events."""
        return stack_environment(self.state, self.state.read()["ports"], self.state.credentials())

    # -- up and down

    def up(self, fixed_ports: Mapping[str, int] | None = None) -> bool:
        """Bring the stack up and wait until all is ready; return False when it was already.

        Raises StackError when it cannot be; what had been started is stopped again.
        """
        with self.starting(fixed_ports or {}) as start:
            if start.begun:
                start.wait()
        return start.begun

    @contextlib.contextmanager
    def starting(self, fixed_ports: Mapping[str, int]) -> Iterator[Start]:
        """Begin to bring the stack up and hold off other commands.

        The body waits for what it needs (`wait_for`, `wait`). When it raises or is interrupted,
        a stack that this command started is stopped again.
        """
        self.state.create()
        for note in caller.environment(os.environ)[1]:
            self._report("environment", note)
        if self.state.is_locked("up"):
            self._report("stack", "another command is at work on it: waiting")
        with self.state.lock("up", wait=_UP_WAIT):
            start = Start(self.state, self.workspace, self._told, self._report)
            try:
                start.begin(fixed_ports)
                yield start
            except BaseException:
                start.give_up()
                if start.fresh:
                    self.down()
                raise

    def down(self) -> bool:
        """Stop everything; return False when nothing ran. No process of the stack is left."""
        if not self.state.root.is_dir():
            return False
        found = processes.marked(self.state.root)
        for process in found:
            if self._is_supervisor(process):
                self._report("stack", "stopping")
                processes.send([process], signal.SIGTERM)
        deadline = time.monotonic() + DOWN_WAIT
        while self.is_running and time.monotonic() < deadline:
            time.sleep(POLL)
        processes.end(processes.marked(self.state.root))
        content = self.state.read()
        if content and content["phase"] not in ("stopped", "failed"):
            content["phase"] = "stopped"
            for info in content["servers"].values():
                info.update(state="stopped", pid=None)
            self.state.write(content)
        return bool(found)

    @staticmethod
    def _is_supervisor(process: psutil.Process) -> bool:
        try:
            return SUPERVISOR in process.cmdline()
        except psutil.NoSuchProcess:
            return False

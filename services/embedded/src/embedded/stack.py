"""A stack as its user handles it: up, status, environment, down."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil

from embedded import flows_env, processes
from embedded.checks import check_space
from embedded.environment import (
    base_environment,
    data_engineering_dags,
    deployer_environment,
    process_environment,
    stack_environment,
)
from embedded.errors import StackError
from embedded.ports import HOST, assign
from embedded.state import Json, State

FLOWS_ENV = "flows-env"
_SUPERVISOR = "embedded.supervisor"  # not imported: it brings the servers' libraries with it
_POLL = 0.1
_UP_WAIT = 600.0
_DOWN_WAIT = 45.0

Report = Callable[[str, str], None]


def silent(name: str, text: str) -> None:
    """Report nothing."""


class Stack:
    """The stack in one state directory; `report(name, text)` hears what happens to it."""

    def __init__(self, folder: Path, report: Report = silent) -> None:
        self.state = State.at(folder)
        self._report = report
        self._told: dict[str, str] = {}
        self._sync: subprocess.Popen[bytes] | None = None
        self._workspace = flows_env.workspace()

    # -- what it is

    @property
    def is_running(self) -> bool:
        """Whether a supervisor owns this stack."""
        return self.state.is_locked("supervisor")

    def status(self) -> Json:
        """Return stack.json, corrected where its supervisor is gone: phase, servers, ports."""
        content = self.state.read() or {"phase": "stopped", "servers": {}, "ports": {}}
        if not self.is_running and content["phase"] not in ("stopped", "failed"):
            content["phase"] = "gone"
            for info in content["servers"].values():
                info.update(state="unknown")
        return content

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

    def flow_dag(self, name: str) -> str:
        """Where an exported flow's file of that name goes."""
        return str(self.dags_folder / name)

    @property
    def data_dag(self) -> str:
        """Where the data engineering team's DAG file is."""
        return str(data_engineering_dags() / "data_engineering_dag.py")

    def changed(self, file: str) -> float | None:
        """When a DAG file was written last; None when there is none."""
        path = Path(file)
        return path.stat().st_mtime if path.exists() else None

    export_options: tuple[str, ...] = ()

    @property
    def export_stamp(self) -> Path:
        """The file that tells which code was exported last."""
        return self.dags_folder / ".exported.json"

    @property
    def flows_folder(self) -> Path:
        """Where the flow files are."""
        return self._workspace / "packages" / "ml_flows" / "src" / "ml_flows"

    @property
    def flows_python(self) -> Path:
        """The Python that runs flow commands and steps."""
        return self.state.flows_python

    @property
    def logs_folder(self) -> Path:
        """Where the logs of the stack's servers and of the pipeline are."""
        return self.state.folder("logs")

    @property
    def place(self) -> Path:
        """The state directory."""
        return self.state.root

    @property
    def keeps(self) -> str:
        """Where keys, logs and data are, in words."""
        return f"keys, logs and data are in {self.state.root}"

    def environment(self) -> dict[str, str]:
        """Return the whole environment for a flow command against this stack."""
        ports, credentials = self.state.read()["ports"], self.state.credentials()
        return base_environment(self.state) | deployer_environment(self.state, ports, credentials)

    def step_environment(self) -> dict[str, str]:
        """Return what the stack adds to the environment of a flow step (no login)."""
        return stack_environment(self.state, self.state.read()["ports"], self.state.credentials())

    def failures(self) -> list[tuple[str, str]]:
        """Return (name, report with the end of its log) of each server that died."""
        status = self.status()
        if status["phase"] == "gone":
            return [("supervisor", self._supervisor_report())]
        return [
            (name, info["report"])
            for name, info in status["servers"].items()
            if info["state"] == "crashed"
        ]

    # -- up and down

    def up(self, fixed_ports: Mapping[str, int] | None = None) -> bool:
        """Bring the stack up and wait until all is ready; return False when it was already.

        Raises StackError when it cannot be; what had been started is stopped again.
        """
        with self.starting(fixed_ports or {}) as begun:
            if begun:
                self.wait()
        return begun

    @contextlib.contextmanager
    def starting(self, fixed_ports: Mapping[str, int]) -> Iterator[bool]:
        """Begin to bring the stack up and hold off other commands; yields False when it is up.

        The body waits for what it needs (`wait_for`, `wait`). When it raises or is interrupted,
        a stack that this command started is stopped again.
        """
        self.state.create()
        if self.state.is_locked("up"):
            self._report("stack", "another command is at work on it: waiting")
        with self.state.lock("up", wait=_UP_WAIT):
            fresh = not self._join()
            if not fresh:
                self._check_ports(fixed_ports)
            begun = fresh or not self._is_whole()
            try:
                if fresh:
                    self._begin(fixed_ports)
                elif begun:
                    self._wake()
                if begun or not flows_env.is_current(self.state, self._workspace):
                    self._start_sync()
                    begun = True
                yield begun
            except BaseException:
                self._end_sync()
                if fresh:
                    self.down()
                raise

    def wait_for(self, *names: str) -> None:
        """Wait until these servers (or FLOWS_ENV) are ready; StackError when they will not be."""
        servers = [name for name in names if name != FLOWS_ENV]
        while True:
            status = self._look()
            if all(status["servers"].get(n, {}).get("state") == "ready" for n in servers) and (
                FLOWS_ENV not in names or self._sync is None
            ):
                return
            time.sleep(_POLL)

    def wait(self) -> None:
        """Wait until every server and the flows' environment are ready."""
        while self._look()["phase"] != "ready" or self._sync is not None:
            time.sleep(_POLL)

    def down(self) -> bool:
        """Stop everything; return False when nothing ran. No process of the stack is left."""
        if not self.state.root.is_dir():
            return False
        found = processes.marked(self.state.root)
        for process in found:
            if self._is_supervisor(process):
                self._report("stack", "stopping")
                processes.send([process], signal.SIGTERM)
        deadline = time.monotonic() + _DOWN_WAIT
        while self.is_running and time.monotonic() < deadline:
            time.sleep(_POLL)
        self._clear_leftovers()
        content = self.state.read()
        if content and content["phase"] not in ("stopped", "failed"):
            content["phase"] = "stopped"
            for info in content["servers"].values():
                info.update(state="stopped", pid=None)
            self.state.write(content)
        return bool(found)

    def revive(self) -> None:
        """Start servers that died; StackError when they do not come back."""
        self.up()

    # -- within

    def _join(self) -> bool:
        """Say whether a supervisor runs that this command can use; wait for one that is ending."""
        deadline = time.monotonic() + _DOWN_WAIT
        while self.is_running:
            if self.state.read().get("phase") not in ("stopping", "stopped", "failed"):
                return True
            if time.monotonic() > deadline:
                raise StackError(f"the stack in {self.state.root} does not end: `stack down` first")
            time.sleep(_POLL)
        return False

    def _check_ports(self, fixed: Mapping[str, int]) -> None:
        """Refuse ports that a running stack cannot change to."""
        ports = self.state.read()["ports"]
        for name, port in fixed.items():
            if ports.get(name) != port:
                raise StackError(
                    f"the stack in {self.state.root} is up with {name} on port {ports.get(name)}: "
                    f"`stack down` first to change it to {port}"
                )

    def _begin(self, fixed_ports: Mapping[str, int]) -> None:
        self._clear_leftovers()
        content = self.state.read()
        check_space(self.state.root, first=not self.state.flows_python.exists())
        if not flows_env.is_current(self.state, self._workspace):
            flows_env.uv()
        ports = assign(content.get("ports", {}), fixed_ports)
        self.state.credentials()
        self.state.write(
            {"phase": "starting", "error": None, "state": str(self.state.root), "ports": ports,
             "servers": {}, "supervisor": None}
        )  # fmt: skip
        env = base_environment(self.state) | process_environment(self.state)
        with self.state.log("supervisor").open("ab") as log:
            subprocess.Popen(
                [sys.executable, "-m", _SUPERVISOR, "--state", str(self.state.root)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=self.state.root,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 30
        while self.state.read()["supervisor"] is None:
            if time.monotonic() > deadline:
                raise StackError(f"the supervisor did not start.\n{self._supervisor_report()}")
            time.sleep(_POLL)

    def _is_whole(self) -> bool:
        """Whether every server runs; the supervisor may not have noticed a kill yet."""
        status = self.status()
        pids = [info["pid"] for info in status["servers"].values()]
        # One that has just crashed has no pid any more, a moment before the phase says so.
        return status["phase"] == "ready" and all(
            pid is not None and processes.is_alive(pid) for pid in pids
        )

    def _wake(self) -> None:
        """Tell the supervisor to start what is missing, and wait until it has heard."""
        content = self.state.read()
        os.kill(content["supervisor"]["pid"], signal.SIGUSR1)
        while self.is_running and self.state.read()["round"] == content["round"]:
            time.sleep(_POLL)

    def _look(self) -> Json:
        """Return the status, reporting what changed; StackError when the start has failed."""
        self._check_sync()
        status = self.status()
        for name, info in status["servers"].items():
            if self._told.get(name) != info["state"]:
                self._told[name] = info["state"]
                if info["state"] == "ready":
                    self._report(name, f"ready after {info['seconds']} s")
                elif info["state"] == "crashed":
                    self._report(name, f"crashed: {info['exit']}")
        if status["phase"] == "gone":
            raise StackError(self._supervisor_report())
        if status["phase"] in ("degraded", "stopping", "stopped", "failed"):
            reports = [report for _, report in self.failures()]
            raise StackError(
                status["error"] or "\n".join(reports) or "the stack was stopped meanwhile"
            )
        return status

    def _start_sync(self) -> None:
        if not flows_env.is_current(self.state, self._workspace):
            env = base_environment(self.state)
            self._sync = flows_env.start_sync(self.state, self._workspace, env)

    def _check_sync(self) -> None:
        if self._sync is not None and self._sync.poll() is not None:
            returncode, self._sync = self._sync.returncode, None
            flows_env.finish_sync(self.state, self._workspace, returncode)
            self._report(FLOWS_ENV, "ready")

    def _end_sync(self) -> None:
        if self._sync is not None:
            processes.end(processes.tree(self._sync.pid))
            self._sync = None

    def _clear_leftovers(self) -> None:
        """End processes of this stack that lost their supervisor, as after a kill -9 of it."""
        processes.end(processes.marked(self.state.root))

    def _supervisor_report(self) -> str:
        log = self.state.log("supervisor")
        end = "\n".join(processes.log_end(log))
        return f"the stack's supervisor is gone. The end of {log}:\n{end}"

    @staticmethod
    def _is_supervisor(process: psutil.Process) -> bool:
        try:
            return _SUPERVISOR in process.cmdline()
        except psutil.NoSuchProcess:
            return False

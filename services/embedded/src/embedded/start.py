"""Bringing a stack up: what one command begins, and its waiting for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from embedded import flows_env, processes
from embedded.checks import check_space
from embedded.environment import base_environment, process_environment
from embedded.errors import StackError
from embedded.ports import assign
from embedded.state import Json, State
from embedded.status import failures, is_running, is_whole, status, supervisor_report

FLOWS_ENV = "flows-env"
SUPERVISOR = "embedded.daemon"  # not imported: it brings the servers' libraries with it
POLL = 0.1
DOWN_WAIT = 45.0
_SUPERVISOR_WAIT = 30.0

Report = Callable[[str, str], None]


class Start:
    """One command's start of a stack, whose lock it holds.

    Args:
        workspace: the checkout whose flows get an environment.
        told: the states that `report(name, text)` has heard of, by server; updated.
    """

    def __init__(self, state: State, workspace: Path, told: dict[str, str], report: Report) -> None:
        self._state = state
        self._workspace = workspace
        self._told = told
        self._report = report
        self._sync: subprocess.Popen[bytes] | None = None
        self.fresh = False
        """Whether this command starts the supervisor."""
        self.begun = False
        """Whether anything has to be waited for."""

    def begin(self, fixed_ports: Mapping[str, int]) -> None:
        """Start what is missing: the supervisor, servers, the flows' environment."""
        self.fresh = not self._join()
        if not self.fresh:
            self._check_ports(fixed_ports)
        self.begun = self.fresh or not is_whole(self._state)
        if self.fresh:
            self._start_supervisor(fixed_ports)
        elif self.begun:
            self._wake()
        if self.begun or not self._has_flows_env():
            self._start_sync()
            self.begun = True

    def wait_for(self, *names: str) -> None:
        """Wait until these servers (or FLOWS_ENV) are ready; StackError when they will not be."""
        servers = [name for name in names if name != FLOWS_ENV]
        while True:
            found = self._look()
            if all(found["servers"].get(n, {}).get("state") == "ready" for n in servers) and (
                FLOWS_ENV not in names or self._sync is None
            ):
                return
            time.sleep(POLL)

    def wait(self) -> None:
        """Wait until every server and the flows' environment are ready."""
        while self._look()["phase"] != "ready" or self._sync is not None:
            time.sleep(POLL)

    def give_up(self) -> None:
        """End what only this command needs."""
        if self._sync is not None:
            processes.end(processes.tree(self._sync.pid))
            self._sync = None

    def _join(self) -> bool:
        """Say whether a supervisor runs that this command can use; wait for one that is ending."""
        deadline = time.monotonic() + DOWN_WAIT
        while is_running(self._state):
            if self._state.read().get("phase") not in ("stopping", "stopped", "failed"):
                return True
            if time.monotonic() > deadline:
                raise StackError(
                    f"the stack in {self._state.root} does not end: `stack down` first"
                )
            time.sleep(POLL)
        return False

    def _check_ports(self, fixed: Mapping[str, int]) -> None:
        """Refuse ports that a running stack cannot change to."""
        ports = self._state.read()["ports"]
        for name, port in fixed.items():
            if ports.get(name) != port:
                raise StackError(
                    f"the stack in {self._state.root} is up with {name} on port {ports.get(name)}: "
                    f"`stack down` first to change it to {port}"
                )

    def _start_supervisor(self, fixed_ports: Mapping[str, int]) -> None:
        # Processes that lost their supervisor, as after a kill -9 of it.
        processes.end(processes.marked(self._state.root))
        content = self._state.read()
        check_space(self._state.root, first=not self._state.flows_python.exists())
        if not self._has_flows_env():
            flows_env.uv()
        ports = assign(content.get("ports", {}), fixed_ports)
        self._state.credentials()
        self._state.write(
            {"phase": "starting", "error": None, "state": str(self._state.root), "ports": ports,
             "servers": {}, "supervisor": None}
        )  # fmt: skip
        env = base_environment(self._state) | process_environment(self._state)
        with self._state.log("supervisor").open("ab") as log:
            subprocess.Popen(
                [sys.executable, "-m", SUPERVISOR, "--state", str(self._state.root)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=self._state.root,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + _SUPERVISOR_WAIT
        while self._state.read()["supervisor"] is None:
            if time.monotonic() > deadline:
                raise StackError(f"the supervisor did not start.\n{supervisor_report(self._state)}")
            time.sleep(POLL)

    def _wake(self) -> None:
        """Tell the supervisor to start what is missing, and wait until it has heard."""
        content = self._state.read()
        os.kill(content["supervisor"]["pid"], signal.SIGUSR1)
        while is_running(self._state) and self._state.read()["round"] == content["round"]:
            time.sleep(POLL)

    def _look(self) -> Json:
        """Return the status, reporting what changed; StackError when the start has failed."""
        self._check_sync()
        found = status(self._state)
        for name, info in found["servers"].items():
            if self._told.get(name) != info["state"]:
                self._told[name] = info["state"]
                if info["state"] == "ready":
                    self._report(name, f"ready after {info['seconds']} s")
                elif info["state"] == "crashed":
                    self._report(name, f"crashed: {info['exit']}")
        if found["phase"] == "gone":
            raise StackError(supervisor_report(self._state))
        if found["phase"] in ("degraded", "stopping", "stopped", "failed"):
            reports = [report for _, report in failures(self._state)]
            raise StackError(
                found["error"] or "\n".join(reports) or "the stack was stopped meanwhile"
            )
        return found

    def _start_sync(self) -> None:
        if not self._has_flows_env():
            env = base_environment(self._state)
            self._sync = flows_env.start_sync(self._state, self._workspace, env)

    def _check_sync(self) -> None:
        if self._sync is not None and self._sync.poll() is not None:
            returncode, self._sync = self._sync.returncode, None
            flows_env.finish_sync(self._state, self._workspace, returncode)
            self._report(FLOWS_ENV, "ready")

    def _has_flows_env(self) -> bool:
        return flows_env.is_current(self._state, self._workspace)

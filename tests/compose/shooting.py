"""Killing and restarting parts of the stack while steps run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from waiting import until

from .engine import PROJECT, docker, kubectl


@dataclass
class Shot:
    """What was seen of a step around which everything was killed or restarted."""

    pod: dict[str, Any]
    while_it_ran: list[str]
    log: list[str]
    state: str
    tries: int
    attempts: list[str]


class Shooting(threading.Thread):
    """Prints what the pipeline says, and does something once at a line of it."""

    def __init__(self, process: subprocess.Popen[str], at: dict[str, Callable[[], object]]) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._at = dict(at)
        self.lines: list[str] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            print(line, end="")
            self.lines.append(line)
            for pattern in [p for p in self._at if re.search(p, line)]:
                try:
                    self._at.pop(pattern)()
                except AssertionError as error:
                    self.error = error

    @property
    def missed(self) -> list[str]:
        return list(self._at)


def container(service: str, what: str) -> str:
    return docker("inspect", "--format", what, f"{PROJECT}-{service}-1").strip()


def crash(service: str) -> None:
    """Kill the container's first process: unlike after `docker kill`, it is started again."""
    os.kill(int(container(service, "{{.State.Pid}}")), signal.SIGKILL)


def restart(*services: str) -> None:
    docker("compose", "restart", "--timeout", "10", *services)


def running_pods(flow: str = "") -> list[str]:
    running = ["get", "pods", "--field-selector=status.phase=Running", "--output", "name"]
    return [pod for pod in kubectl(*running).split() if pod.startswith(f"pod/{flow.lower()}")]


def in_mid_step(shoot: Callable[[], object], flow: str = "") -> None:
    """Shoot while a step's pod runs, and see that it still does: the shot was not beside it."""
    (pod, *_) = until(lambda: running_pods(flow), "a step's pod", within=600)
    shoot()
    assert pod in running_pods()

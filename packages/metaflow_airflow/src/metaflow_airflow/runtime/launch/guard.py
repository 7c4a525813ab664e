"""Ends the processes of a step: all of its group, and those that left it.

The guard is a small process beside the launcher that does so when the launcher itself was killed.
It tells by the end of a pipe, and holds the task's lock until the step is gone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

TOKEN_VARIABLE = "METAFLOW_AIRFLOW_PROCESS_TOKEN"  # noqa: S105 - a mark, no secret
"""Every process of a step carries it, so that those are found that left the step's group."""

_ROUNDS = 20
_STRANDED = signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT


def end_group(group: int) -> None:
    """Kill all processes of the group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def end_strays(token: str, spare: tuple[int, ...]) -> int:
    """Kill all processes of this user that carry the token, wherever they went; how many.

    Args:
        spare: process ids that live on.
    """
    if not token:
        return 0
    mark = f"{TOKEN_VARIABLE}={token}".encode()
    killed = 0
    for _ in range(_ROUNDS):
        # One that is killed may have forked meanwhile: until none is found.
        found = [pid for pid in _carriers(mark) if pid not in spare]
        if not found:
            break
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        time.sleep(0.01)
    return killed


def _carriers(mark: bytes) -> list[int]:
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            environ = Path(entry.path, "environ").read_bytes()
        except OSError:
            continue  # somebody else's, or gone meanwhile
        if mark in environ.split(b"\0"):
            found.append(int(entry.name))
    return found


class Guard:
    """The launcher's end of it. Start it before anything that a killed launcher would leave.

    Args:
        token: value of TOKEN_VARIABLE. in_child: called in the new process first.
    """

    def __init__(self, token: str, in_child: Callable[[], None]) -> None:
        read_end, self._write_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                in_child()
                os.close(self._write_end)
                _watch(read_end, token)
            finally:
                os._exit(0)
        os.close(read_end)

    def protect(self, group: int) -> None:
        """Name a process group that must not outlive the launcher."""
        self._tell(f"group {group}")

    def clean(self, directory: Path) -> None:
        """Name a folder to remove."""
        self._tell(f"folder {directory}")

    def leave(self) -> None:
        """In a child of the launcher: only the launcher itself holds the pipe."""
        os.close(self._write_end)

    def dismiss(self) -> None:
        """The launcher has cleaned up itself."""
        self._tell("done")
        os.close(self._write_end)
        os.waitpid(self.pid, 0)

    def _tell(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self._write_end, f"{line}\n".encode())


def _watch(read_end: int, token: str) -> None:
    os.setsid()
    for number in _STRANDED:
        signal.signal(number, signal.SIG_IGN)
    with open(read_end) as pipe:
        lines = pipe.read().splitlines()
    if "done" in lines:
        return
    for line in lines:
        kind, _, value = line.partition(" ")
        if kind == "group":
            end_group(int(value))
    end_strays(token, spare=(os.getpid(),))
    for line in lines:
        kind, _, value = line.partition(" ")
        if kind == "folder":
            shutil.rmtree(value, ignore_errors=True)

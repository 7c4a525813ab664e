"""Cleans up after a launcher that was killed: a small process beside it.

The guard tells by the end of a pipe that the launcher is gone. It ends the step, removes its
folder, and holds the task's lock until then.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from .end_processes import end_group, end_strays

_STRANDED = signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT


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

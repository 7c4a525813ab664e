"""Forks a child of the launcher, its output led into two pipes."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence

from ...wire.exit_codes import BROKEN
from ..output.sink import Sink
from .step_folder import StepFolder
from .watch_child import ChildStream

Fork = Callable[[], tuple[int, tuple[ChildStream, ChildStream]]]


def fork(
    sinks: tuple[Sink, Sink], folder: StepFolder, leave: Sequence[Callable[[], None]]
) -> tuple[int, tuple[ChildStream, ChildStream]]:
    """Fork a child that leads a process group of its own; its process id is 0 in the child.

    Args:
        leave: what the child does first, last one first, to let go of what is the launcher's.
    """
    pipes = (os.pipe(), os.pipe())
    pid = os.fork()
    if pid == 0:
        try:
            _lead_group(0)
            for each in reversed(leave):
                each()
            _use_streams(*(write_end for _, write_end in pipes))
        except BaseException:  # noqa: BLE001 - must not clean up what is the launcher's
            traceback.print_exc()
            os._exit(BROKEN)
    else:
        # Both sides do it, so that neither runs before it is done.
        _lead_group(pid)
    for read_end, write_end in pipes:
        os.close(write_end if pid else read_end)
    stdout = ChildStream(pipes[0][0], sinks[0], folder.stdout)
    return pid, (stdout, ChildStream(pipes[1][0], sinks[1], folder.stderr))


def _lead_group(pid: int) -> None:
    try:
        os.setpgid(pid, pid)
    except (PermissionError, ProcessLookupError):
        return  # the child has done it, and maybe ended


def _use_streams(stdout: int, stderr: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    for descriptor, target in ((null, 0), (stdout, 1), (stderr, 2)):
        os.dup2(descriptor, target)
        os.close(descriptor)

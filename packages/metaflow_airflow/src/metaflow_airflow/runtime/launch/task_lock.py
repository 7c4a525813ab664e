"""Keeps two launchers on one host from running the same task at the same time."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from ...wire.task import StepTask
from ..failures import BusyError

_LOOK_AGAIN = 0.1


class TaskLock:
    """Held by the launcher of a task, so that no second one on this host runs it meanwhile.

    The lock goes with the open file: whoever inherits the descriptor holds it too. The guard does,
    so that the lock of a killed launcher is free only when its step is gone.
    """

    def __init__(self, directory: Path, task: StepTask) -> None:
        key = json.dumps([task.datastore, task.datastore_root, task.flow, task.pathspec])
        folder = directory / "locks"
        folder.mkdir(mode=0o700, exist_ok=True)
        self._path = folder / hashlib.sha256(key.encode()).hexdigest()[:32]
        self._task = task
        self.descriptor = -1

    def acquire(self, deadline: float, say: Callable[[str], None]) -> None:
        """Wait for the lock; `say` gets one line that names the holder.

        Args:
            deadline: seconds.

        Raises:
            BusyError: the holder still runs.
        """
        started = time.monotonic()
        told = False
        while not self._try():
            holder = self._holder()
            if not told:
                say(f"waiting for {holder} to end")
                told = True
            if time.monotonic() - started > deadline:
                raise BusyError(
                    f"{self._task.flow}/{self._task.pathspec} still runs on this host: {holder} "
                    f"has not ended within {deadline:.0f} s. End it, or wait and clear the task."
                )
            time.sleep(_LOOK_AGAIN)
        os.truncate(self.descriptor, 0)
        os.write(
            self.descriptor,
            json.dumps(
                {"pid": os.getpid(), "attempt": self._task.attempt, "since": time.time()}
            ).encode(),
        )

    def release(self) -> None:
        """Remove the file, then let go."""
        self._path.unlink(missing_ok=True)
        os.close(self.descriptor)

    def forget(self) -> None:
        """In a child: the launcher alone holds it, and its guard."""
        os.close(self.descriptor)

    def _try(self) -> bool:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if self._is_ours(descriptor):
            self.descriptor = descriptor
            return True
        os.close(descriptor)
        return False

    def _is_ours(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder removes the file before it lets go: a lock on a removed file is none.
            return self._path.stat().st_ino == os.fstat(descriptor).st_ino
        except (BlockingIOError, FileNotFoundError):
            return False

    def _holder(self) -> str:
        try:
            holder = json.loads(self._path.read_text())
            return (
                f"the launcher with process id {holder['pid']}, which runs attempt "
                f"{holder['attempt']} of this task since {time.time() - holder['since']:.0f} s,"
            )
        except (OSError, ValueError, KeyError):
            return "another launcher of this task"

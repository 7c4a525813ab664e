"""The private folder of one attempt."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

from ..output.log_file import LogFile

_PREFIX = "step-"
_LOCK = "lock"
_YOUNG_SECONDS = 60.0
"""For how long a folder without a lock may be one that is just being made."""


class StepFolder:
    """Log files and code of one attempt.

    Its lock goes with the launcher and its children: it is free when all of them are gone.

    Args:
        host: folder in which it is made.
    """

    def __init__(self, host: Path) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=host))
        self._lock = _open_lock(self.path)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._open_logs()

    def _open_logs(self) -> None:
        self.stdout = LogFile(self.path / "stdout")
        self.stderr = LogFile(self.path / "stderr")

    def begin_logs(self) -> None:
        """Empty log files, in place of those that are closed and at home."""
        for log in (self.stdout, self.stderr):
            log.path.unlink()
        self._open_logs()

    def close_logs(self) -> None:
        """End the logs' last lines."""
        self.stdout.close()
        self.stderr.close()

    def remove(self) -> None:
        """Remove the folder with all that the step left in it."""
        os.chdir("/")
        shutil.rmtree(self.path, ignore_errors=True)


def remove_abandoned(host: Path, *, dry_run: bool = False) -> int:
    """Remove the folders of launchers that were killed together with their guards; how many."""
    found = 0
    for path in host.glob(f"{_PREFIX}*"):
        try:
            if time.time() - path.stat().st_mtime < _YOUNG_SECONDS:
                continue
            lock = _open_lock(path)
        except OSError:
            continue  # another launcher removes it
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found += 1
            if not dry_run:
                shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)
    return found


def _open_lock(folder: Path) -> int:
    return os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

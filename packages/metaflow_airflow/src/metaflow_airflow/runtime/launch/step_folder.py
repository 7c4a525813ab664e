"""The private folder of one attempt."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from ..output.log_file import LogFile


class StepFolder:
    """Log files and code of one attempt.

    Args:
        host: folder in which it is made.
    """

    def __init__(self, host: Path) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="step-", dir=host))
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

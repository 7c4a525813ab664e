"""A step as a process on a worker: starts the launcher, passes its lines on, ends it for certain.

The worker holds the only write end of a pipe, the *lifeline*. When the worker dies, by whatever
signal, the launcher reads its end and ends the step.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from .lines import LineSplitter
from .task import StepResult, StepTask, TaskFormatError, signal_name

LAUNCHER = Path(__file__).with_name("launcher.py")

GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL for the step's processes."""

UPLOAD_GRACE = 20.0
"""Seconds that a launcher gets, after its step has ended, to bring the logs home."""

OnLine = Callable[[str, str], None]
"""Takes a stream's name ("stdout", "stderr") and a line without its end."""

_DROPPED_PREFIXES = ("AIRFLOW_", "_AIRFLOW_", "__AIRFLOW_", "METAFLOW_AIRFLOW_REST_API_")
# What belongs to the worker's Python must not reach another one.
_DROPPED = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT")


class StepStartError(RuntimeError):
    """The step's process could not be started."""


def step_environment(environ: Mapping[str, str], python: str) -> dict[str, str]:
    """The environment of a step: without Airflow's own variables, with its Python first in PATH."""
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith(_DROPPED_PREFIXES) and name not in _DROPPED
    }
    home = Path(python).parent
    if home.is_absolute():
        kept["PATH"] = os.pathsep.join([str(home), environ.get("PATH", os.defpath)])
        if (home.parent / "pyvenv.cfg").is_file():
            kept["VIRTUAL_ENV"] = str(home.parent)
    kept["PYTHONUNBUFFERED"] = "x"
    return kept


class StepProcess:
    """One attempt of one step, run by a launcher in a session of its own.

    Args:
        task: what to run. python: the interpreter that has the step's dependencies.
        on_line: called in run()'s thread for every line of the step.
        environ: of the worker (default: os.environ); Airflow's own variables are left out.
        grace: seconds between SIGTERM and SIGKILL.
    """

    def __init__(
        self,
        task: StepTask,
        *,
        python: str | Path = sys.executable,
        on_line: OnLine,
        environ: Mapping[str, str] | None = None,
        grace: float = GRACE,
    ) -> None:
        self.task = task
        self.python = str(python)
        self.grace = grace
        self._on_line = on_line
        self._environ = os.environ if environ is None else environ
        self._process: subprocess.Popen[bytes] | None = None
        self._runner: int | None = None
        self._ended = threading.Event()
        self._terminating = False

    @property
    def pid(self) -> int | None:
        """Of the launcher, once it runs."""
        return self._process.pid if self._process else None

    def run(self) -> StepResult:
        """Run the attempt to its end; whatever is raised meanwhile ends the step first.

        Raises:
            StepStartError: the Python cannot be started.
        """
        raise NotImplementedError

    def terminate(self) -> None:
        """End the step and all of its processes, and wait until they are gone.

        May be called twice, from a signal handler and from another thread.
        """
        raise NotImplementedError

"""A step as a process on a worker: starts the launcher, passes its lines on, ends it for certain.

The worker holds the only write end of a pipe, the *lifeline*. When the worker dies, by whatever
signal, the launcher reads its end and ends the step.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO

from ...wire.handshake import GRACE, TOKEN_VARIABLE, UPLOAD_GRACE
from ...wire.task import StepResult, StepTask, TaskFormatError, signal_name
from ..launch.memory import Memory, read_memory
from ..output.error_line import error_line
from .pump import Pump

LAUNCHER = Path(__file__).parents[1] / "launcher.py"

_KILL_SECONDS = 10.0
_KEPT_LINES = 50

OnLine = Callable[[str, str], None]
"""Takes a stream's name ("stdout", "stderr") and a line without its end."""

_DROPPED_PREFIXES = ("AIRFLOW_", "_AIRFLOW_", "__AIRFLOW_", "METAFLOW_AIRFLOW_REST_API_")
# What belongs to the worker's Python must not reach another one.
_DROPPED = (
    *("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT"),
    # What uv is to do with the worker's project; where packages come from stays.
    *("UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "UV_WORKING_DIRECTORY", "UV_PYTHON"),
    *("UV_SYSTEM_PYTHON", "UV_BREAK_SYSTEM_PACKAGES", "UV_NO_SYNC", "UV_FROZEN", "UV_LOCKED"),
)


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
    # Flows are written where text is UTF-8; a worker's locale may say something else, or nothing.
    kept.setdefault("PYTHONUTF8", "1")
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
        self._pump = Pump()
        self._runner: int | None = None
        self._last: deque[str] = deque(maxlen=_KEPT_LINES)
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
        self._runner = threading.get_ident()
        lifeline_read, lifeline = os.pipe()
        streams, memory = self._pump.open(), read_memory()
        try:
            with tempfile.TemporaryFile() as task, tempfile.TemporaryFile() as result:
                task.write(self.task.to_json().encode())
                task.seek(0)
                try:
                    process = self._process = self._start(task, result, lifeline_read, streams)
                finally:
                    for descriptor in (lifeline_read, *streams):
                        os.close(descriptor)
                self._follow(process)
                process.wait()
                result.seek(0)
                return left_result(
                    result.read().decode(), process.returncode, self._last, memory, read_memory()
                )
        finally:
            # Whatever happened here, with its lifeline cut a launcher ends.
            os.close(lifeline)
            self._pump.close()
            self._ended.set()

    def terminate(self, number: int = signal.SIGTERM) -> None:
        """End the step and all of its processes, and wait until they are gone.

        May be called twice, from a signal handler and from another thread.

        Args:
            number: SIGTERM when somebody ends it, who may want it anew.
        """
        first, self._terminating = not self._terminating, True
        process = self._process
        if process is None or self._ended.is_set():
            return  # before its start: run() ends it as soon as it has started
        if first:
            _send(process, number)
        if not self._gone(process, self.grace + UPLOAD_GRACE):
            # The guard of a killed launcher ends the step.
            _send(process, signal.SIGKILL)
            self._gone(process, _KILL_SECONDS)

    def _start(
        self, task: IO[bytes], result: IO[bytes], lifeline: int, streams: tuple[int, int]
    ) -> subprocess.Popen[bytes]:
        command = [
            self.python,
            str(LAUNCHER),
            f"--lifeline={lifeline}",
            f"--result=/dev/fd/{result.fileno()}",
            f"--grace={self.grace}",
        ]
        environ = {
            **step_environment(self._environ, self.python),
            **self.task.env,
            TOKEN_VARIABLE: uuid.uuid4().hex,
        }
        try:
            return subprocess.Popen(
                command,
                stdin=task,
                stdout=streams[0],
                stderr=streams[1],
                env=environ,
                cwd=tempfile.gettempdir(),
                pass_fds=(lifeline, result.fileno()),
                start_new_session=True,
            )
        except OSError as error:
            raise StepStartError(
                f"The Python for flow steps, {self.python}, cannot be started: {error.strerror}. "
                "METAFLOW_AIRFLOW_PYTHON names it where the worker runs."
            ) from error

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        """Pass lines on until launcher and guard, and so the step, are gone."""
        calling = False
        try:
            if self._terminating:
                _send(process, signal.SIGTERM)
            for stream, line in self._pump.lines(lambda: _has_ended(process)):
                self._last.append(line)
                calling = True
                self._on_line(stream, line)
                calling = False
        except BaseException:
            # The worker's own deadline, for one.
            self.terminate(signal.SIGHUP)
            if not calling:
                for stream, line in self._pump.kept():
                    self._on_line(stream, line)
            raise

    def _gone(self, process: subprocess.Popen[bytes], seconds: float) -> bool:
        """Wait for the end of launcher and guard; whether it came."""
        if threading.get_ident() != self._runner:
            return self._ended.wait(seconds)
        # In run()'s own thread nobody else reads the pipes: keep them moving, keep the lines.
        return self._pump.wait(seconds, lambda: _has_ended(process))


def left_result(
    text: str, code: int, lines: Iterable[str], before: Memory | None, after: Memory | None
) -> StepResult:
    """What the launcher wrote, or what its end says of it.

    Args:
        lines: the last that it passed on. before, after: memory of the container of both.
    """
    with contextlib.suppress(TaskFormatError):  # nothing, or the memory's record: it was cut short
        return StepResult.from_json(text)
    killed = -code if code < 0 else None
    if killed == signal.SIGKILL and before and after and after.kills > before.kills:
        error = f"the launcher of the step was killed: out of memory: it used {after}"
    elif killed:
        error = f"the launcher of the step was killed by {signal_name(killed)}"
    else:
        said = error_line("\n".join(lines))
        error = "the launcher ended without a result" + (f": {said}" if said else "")
    exit_code = 128 + killed if killed else code or 1
    return StepResult(
        ok=False,
        exit_code=exit_code,
        error=error,
        killed_by=killed,
        infrastructure=None if "out of memory" in error else True,
    )


def _send(process: subprocess.Popen[bytes], number: int) -> None:
    """Signal the launcher's group; the launcher is not reaped yet, so the number is its own."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has, without reaping: Popen's own look takes a lock that a handler may be in."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

"""From how a child ended to the result of the attempt. Pure."""

from __future__ import annotations

import signal
from dataclasses import replace

from ...wire.exit_codes import BROKEN
from ...wire.task import StepResult, signal_name
from ..failures import LaunchError, Stop
from ..output.error_line import error_line
from .memory import Memory
from .watch_child import ChildEnd

_TIMEOUT = "@timeout:"
# What the program did itself, and nobody to it.
_FAULTS = (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV)


def judge(
    ending: ChildEnd,
    stdout: str,
    stderr: str,
    memory: tuple[Memory | None, Memory | None] = (None, None),
) -> StepResult:
    """The result of a child.

    Args:
        stdout, stderr: the ends of what it wrote.
        memory: of its container, before it began and after its end.
    """
    line = error_line(stderr) or error_line(stdout)
    if ending.worker_died:
        return _killed(signal.SIGKILL, "the Airflow worker died")
    if ending.asked is not None:
        return _killed(ending.asked, f"asked to end by {signal_name(ending.asked)}")
    before, after = memory
    if ending.status and before and after and after.kills > before.kills:
        killed = _killed(signal.SIGKILL, f"out of memory: it used {after}")
        return replace(killed, memory=after.most)
    if ending.status == -signal.SIGKILL:
        return _killed(signal.SIGKILL, "not by its launcher: out of memory?")
    if ending.status < 0:
        return _killed(-ending.status, _fault(-ending.status, line))
    if ending.status:
        timed_out = bool(line and line.startswith(_TIMEOUT))
        return StepResult(ok=False, exit_code=ending.status, error=line, timed_out=timed_out)
    return StepResult(ok=True, exit_code=0)


def stopped(stop: Stop) -> StepResult:
    """The result when the launcher was told to end before the step had started."""
    if stop.number is None:
        return _killed(signal.SIGKILL, "the Airflow worker died before the step had started")
    return _killed(stop.number, "asked to end before the step had started")


def launch_failure(error: LaunchError) -> StepResult:
    """The result when the step could not be started."""
    return StepResult(ok=False, exit_code=error.exit_code, error=str(error))


def broken(error: Exception) -> StepResult:
    """The result when the launcher itself failed: a bug, or a full disk."""
    text = f"the launcher failed: {type(error).__name__}: {error}"
    return StepResult(ok=False, exit_code=BROKEN, error=text)


def _fault(number: int, line: str | None) -> str | None:
    """What a signal says of the program's fault; its last line has no word of that."""
    if number not in _FAULTS:
        return line
    fault = str(signal.strsignal(number)).lower()
    return f"{fault}; its last line: {line}" if line else fault


def _killed(number: int, error: str | None) -> StepResult:
    return StepResult(ok=False, exit_code=128 + number, error=error, killed_by=number)

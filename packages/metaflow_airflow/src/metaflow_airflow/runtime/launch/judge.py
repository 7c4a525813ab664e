"""From how a child ended to the result of the attempt. Pure."""

from __future__ import annotations

import re
import signal
from dataclasses import replace

from ...wire.exit_codes import BROKEN
from ...wire.task import StepResult, signal_name
from ..failures import LaunchError, Stop
from ..output.error_line import error_line
from .memory import Memory
from .watch_child import ChildEnd

_TIMEOUT = "@timeout:"
# Metaflow's own words where S3 or its service has not answered for as long as it asks.
_OUTAGE = re.compile(
    r"S3 operation failed|Metadata request \(\S+\) failed(?! \(code 4)"
    r"|ConnectionError: HTTPConnectionPool.*/flows/"
)
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
        return _lost(_killed(signal.SIGKILL, "the Airflow worker died"))
    if ending.asked is not None:
        ended = _killed(ending.asked, f"asked to end by {signal_name(ending.asked)}")
        # The worker's own deadline is the step's matter.
        return ended if ending.asked == signal.SIGHUP else _lost(ended)
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
        result = StepResult(ok=False, exit_code=ending.status, error=line, timed_out=timed_out)
        return _lost(result) if _OUTAGE.search(line or "") else result
    return StepResult(ok=True, exit_code=0)


def stopped(stop: Stop) -> StepResult:
    """The result when the launcher was told to end before the step had started."""
    if stop.number is None:
        died = _killed(signal.SIGKILL, "the Airflow worker died before the step had started")
        return _lost(died)
    return _lost(_killed(stop.number, "asked to end before the step had started"))


def launch_failure(error: LaunchError) -> StepResult:
    """The result when the step could not be started."""
    result = StepResult(ok=False, exit_code=error.exit_code, error=str(error))
    return result if result.is_final else _lost(result)


def broken(error: Exception) -> StepResult:
    """The result when the launcher itself failed: a bug, or a full disk."""
    text = f"the launcher failed: {type(error).__name__}: {error}"
    return _lost(StepResult(ok=False, exit_code=BROKEN, error=text))


def _lost(result: StepResult) -> StepResult:
    """The same, as no doing of the step's."""
    return replace(result, infrastructure=True)


def _fault(number: int, line: str | None) -> str | None:
    """What a signal says of the program's fault; its last line has no word of that."""
    if number not in _FAULTS:
        return line
    fault = str(signal.strsignal(number)).lower()
    return f"{fault}; its last line: {line}" if line else fault


def _killed(number: int, error: str | None) -> StepResult:
    return StepResult(ok=False, exit_code=128 + number, error=error, killed_by=number)

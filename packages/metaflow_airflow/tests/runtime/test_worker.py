"""The worker's side: whatever is raised there ends the step."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
from metaflow_airflow.runtime.launch.memory import Memory
from metaflow_airflow.runtime.worker.step_process import (
    StepProcess,
    StepStartError,
    left_result,
)

from .running import gone
from .support import LauncherRun, Platform
from .waiting import wait_for


def test_an_exception_of_the_caller_ends_the_step(fresh: LauncherRun, tmp_path: Path) -> None:
    started = tmp_path / "started"
    task = fresh.task("start", env={"TROUBLE": "sleep", "STARTED": str(started)})

    def raise_at_sleep(stream: str, line: str) -> None:
        if line == "sleeping":
            raise RuntimeError("the log is full")

    process = fresh.process(task, raise_at_sleep)
    with pytest.raises(RuntimeError, match="the log is full"):
        process.run()
    assert gone([int(started.read_text())])


class AlarmError(BaseException):
    """As Airflow's timeout: raised by a signal handler."""


def test_a_timeout_of_the_caller_ends_the_step(
    platform: Platform, fresh: LauncherRun, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    task = fresh.task("start", env={"TROUBLE": "sleep", "STARTED": str(started)})

    def alarm(number: int, frame: object) -> None:
        raise AlarmError

    def ring() -> None:
        wait_for(lambda: started.exists() and started.read_text(), "the start of the step")
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, alarm)
    ringer = threading.Thread(target=ring)
    try:
        ringer.start()
        with pytest.raises(AlarmError):
            fresh.process(task).run()
    finally:
        ringer.join()
        signal.signal(signal.SIGUSR1, before)
    assert gone([int(started.read_text())])
    assert "asked to end by SIGHUP" in fresh.text("stderr")
    assert "sleeping" in platform.streams(fresh.spec("start"))[0]


def test_terminate_from_a_signal_handler_in_runs_own_thread(
    fresh: LauncherRun, tmp_path: Path
) -> None:
    """As Airflow's on_kill."""
    started = tmp_path / "started"
    process = fresh.process(fresh.task("start", env={"TROUBLE": "sleep", "STARTED": str(started)}))

    def ring() -> None:
        wait_for(lambda: started.exists() and started.read_text(), "the start of the step")
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda number, frame: process.terminate())
    ringer = threading.Thread(target=ring)
    try:
        ringer.start()
        result = process.run()
    finally:
        ringer.join()
        signal.signal(signal.SIGUSR1, before)
    assert result.killed_by == signal.SIGTERM
    assert gone([int(started.read_text())])
    assert "asked to end by SIGTERM" in fresh.text("stderr")


def test_terminate_before_thestart_step(fresh: LauncherRun) -> None:
    process = fresh.process(fresh.task("start"))
    process.terminate()
    assert not process.run().ok


def test_a_python_that_is_not_there(fresh: LauncherRun) -> None:
    process = StepProcess(fresh.task("start"), python="/no/python", on_line=print, environ={})
    with pytest.raises(StepStartError, match=r"/no/python.*METAFLOW_AIRFLOW_PYTHON"):
        process.run()


KILLED, LIMIT = Memory(63_800_000, 64_000_000, 2), Memory(40_000_000, 64_000_000, 1)


@pytest.mark.parametrize(
    ("text", "code", "lines", "memory", "reason"),
    [
        ('{"ok": true, "exit_code": 0}', 0, [], (None, None), ""),
        (
            '{"memory": 7}',
            -9,
            [],
            (LIMIT, KILLED),
            "killed by SIGKILL: the launcher of the step was killed: out of memory: "
            "it used 64 MB of 64 MB",
        ),
        (
            '{"mem',
            -9,
            [],
            (KILLED, KILLED),
            "killed by SIGKILL: the launcher of the step was killed by SIGKILL",
        ),
        (
            "",
            1,
            ["Fatal Python error: init_fs_encoding", "ModuleNotFoundError: no encodings"],
            (None, None),
            "exit code 1: the launcher ended without a result: ModuleNotFoundError: no encodings",
        ),
        ("", 0, [], (None, None), "exit code 1: the launcher ended without a result"),
    ],
)
def test_what_a_launcher_left(
    text: str,
    code: int,
    lines: list[str],
    memory: tuple[Memory | None, Memory | None],
    reason: str,
) -> None:
    assert left_result(text, code, lines, *memory).reason == reason

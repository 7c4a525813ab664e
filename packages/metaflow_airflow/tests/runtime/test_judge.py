"""From how a process ended, and what Metaflow stored, to the result of a step."""

from __future__ import annotations

import pytest
from metaflow_airflow.runtime.failures import LaunchError, Stop, UnavailableError
from metaflow_airflow.runtime.flow.proof import StoredTask, proven
from metaflow_airflow.runtime.launch.judge import judge, launch_failure, stopped
from metaflow_airflow.runtime.launch.memory import Memory
from metaflow_airflow.runtime.launch.watch_child import ChildEnd
from metaflow_airflow.wire.exit_codes import DISALLOW_RETRY

from .test_text import TIMEOUT, TRACEBACK


@pytest.mark.parametrize(
    ("ending", "stderr", "reason", "code"),
    [
        (ChildEnd(1), TRACEBACK, "exit code 1: ValueError: the answer", 1),
        (
            ChildEnd(1),
            TIMEOUT,
            "exit code 1, timed out: @timeout: Step timed timed out after 3 seconds",
            1,
        ),
        (ChildEnd(-9), "", "killed by SIGKILL: not by its launcher: out of memory?", 137),
        (ChildEnd(-11), "", "killed by SIGSEGV: segmentation fault", 139),
        (ChildEnd(-6), "b", "killed by SIGABRT: aborted; its last line: b", 134),
        (ChildEnd(-15), "b", "killed by SIGTERM: b", 143),
        (ChildEnd(-15, asked=15), "", "killed by SIGTERM: asked to end by SIGTERM", 143),
        (ChildEnd(0, asked=15), "", "killed by SIGTERM: asked to end by SIGTERM", 143),
        (ChildEnd(-9, worker_died=True), "", "killed by SIGKILL: the Airflow worker died", 137),
    ],
)
def test_how_a_step_ended(ending: ChildEnd, stderr: str, reason: str, code: int) -> None:
    result = judge(ending, "", stderr)
    assert not result.ok
    assert (result.reason, result.exit_code) == (reason, code)


def test_a_step_killed_for_its_memory_says_what_it_used() -> None:
    before, after = Memory(40_000_000, 64_000_000, 1), Memory(63_800_000, 64_000_000, 2)

    killed = judge(ChildEnd(-9), "", "", (before, after))
    its_child = judge(ChildEnd(1), "", TRACEBACK, (before, after))
    by_somebody = judge(ChildEnd(-9), "", "", (after, after))

    assert killed.reason == "killed by SIGKILL: out of memory: it used 64 MB of 64 MB"
    assert killed.memory == its_child.memory == 63_800_000
    assert by_somebody.memory is None


@pytest.mark.parametrize(
    ("ending", "stderr", "lost"),
    [
        (ChildEnd(-15, asked=15), "", True),
        (ChildEnd(-9, worker_died=True), "", True),
        (ChildEnd(-15, asked=1), "", None),  # the worker's own deadline
        (ChildEnd(-9), "", None),
        (ChildEnd(1), TRACEBACK, None),
        (ChildEnd(1), "<flow F step s> failed:\n  S3 operation failed.\n  Key: k", True),
        (ChildEnd(1), "<flow F step s> failed:\n  Error:\n Metadata request (/f) failed", True),
        (
            ChildEnd(1),
            "<flow F step s> failed:\n  Error:\n Metadata request (/f) failed (code 404): x",
            None,
        ),
    ],
)
def test_what_is_not_the_steps_doing_is_told_apart(
    ending: ChildEnd, stderr: str, lost: bool | None
) -> None:
    assert judge(ending, "", stderr).infrastructure == lost
    assert stopped(Stop(None)).infrastructure
    assert launch_failure(UnavailableError("x")).infrastructure
    assert not launch_failure(LaunchError("x")).infrastructure


def test_how_a_launch_ended() -> None:
    assert judge(ChildEnd(0), "", "a warning").ok
    assert stopped(Stop(15)).exit_code == 143
    assert "worker died" in stopped(Stop(None)).reason
    assert launch_failure(LaunchError("x")).exit_code == 78
    assert launch_failure(UnavailableError("x")).exit_code == 69


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (None, "its process ended with exit code 0 before Metaflow had stored the task"),
        (StoredTask(False, "linear", (), ("end",)), "not at its own end (sys.exit(0))"),
        (StoredTask(False, "end", (), ()), "not at its own end (sys.exit(0))"),
        (
            StoredTask(True, "linear", (), ("end",)),
            "it returned without self.next(), which was to lead to end",
        ),
        (
            StoredTask(True, "split-switch", (), ("a", "b")),
            "it returned without self.next(), which was to lead to a or b",
        ),
        (
            StoredTask(True, "split", ("a", "c"), ("a", "b")),
            "self.next() led to a, c instead of a, b",
        ),
        (
            StoredTask(True, "split-switch", ("c",), ("a", "b")),
            "self.next() led to c instead of a or b",
        ),
    ],
)
def test_a_step_that_left_early(stored: StoredTask | None, reason: str) -> None:
    result = proven("work", stored)
    assert result.reason.startswith("exit code 202: step work left early: ")
    assert reason in result.reason
    assert result.exit_code == DISALLOW_RETRY


@pytest.mark.parametrize(
    ("stored", "cardinality", "choice"),
    [
        (StoredTask(True, "end", (), ()), None, None),
        (StoredTask(True, "split-foreach", ("a",), ("a",), cardinality=3), 3, None),
        (StoredTask(True, "split-switch", ("b",), ("a", "b"), choice="b"), None, "b"),
    ],
)
def test_a_step_that_is_done(
    stored: StoredTask, cardinality: int | None, choice: str | None
) -> None:
    result = proven("work", stored)
    assert result.ok
    assert (result.cardinality, result.choice) == (cardinality, choice)

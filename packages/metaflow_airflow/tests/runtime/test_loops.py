"""A switch that chooses itself: each iteration is a task, a retry goes on with the failed one."""

from __future__ import annotations

import dataclasses
import signal
import threading
from typing import Any

import pytest
from metaflow_airflow.wire.iterations import first_iteration, task_at
from metaflow_airflow.wire.task import Clone, Loop, StepResult

from .support import LauncherRun, Platform
from .waiting import wait_for


class Spin:
    """Runs the step as Airflow's tries would."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.run = LauncherRun(platform, "SpinFlow", "spin.py")
        self.start, _ = self.run.succeed("start")
        self.first = self.run.task("spin").task_id

    def task(self, number: int, *, begin: int = 0, most: int = 10, **env: str) -> Any:
        loop = Loop(self.first, most, number, begin, retries=1, user_retries=1)
        zero = task_at(self.run.task("spin", [self.start]), loop, first_iteration(loop), number)
        return dataclasses.replace(zero, loop=loop, env=env)

    def spin(self, number: int, **more: Any) -> StepResult:
        self.run.lines.clear()
        return self.run.process(self.task(number, **more)).run()

    def tasks(self, result: StepResult) -> list[list[object]]:
        """Id and attempt of the tasks that led to a result, by what each of them wrote."""
        spec = f"SpinFlow/{self.run.run_id}/spin/{result.task_id}"
        found: list[list[object]] = self.platform.artifacts(spec)["tasks"]
        return found

    def of(self, *attempts: int) -> list[list[object]]:
        """The same of iterations 0, 1, … in these attempts."""
        names = [f"{self.first}.i{n}" if n else self.first for n in range(len(attempts))]
        return [[name, attempt] for name, attempt in zip(names, attempts, strict=True)]


@pytest.fixture
def loop(platform: Platform) -> Spin:
    return Spin(platform)


def test_each_iteration_takes_the_one_before_it_until_another_step_is_chosen(loop: Spin) -> None:
    result = loop.spin(0)

    assert (result.ok, result.choice) == (True, "end"), loop.run.text()
    assert loop.tasks(result) == loop.of(0, 0, 0)
    assert "Begin iteration 2, " in loop.run.text()
    # Each iteration has the lines of its own and no others.
    spec = f"SpinFlow/{loop.run.run_id}/spin/{loop.first}.i1"
    stdout, stderr = loop.platform.streams(spec)
    assert stdout.split("\n") == ["this is count 2", ""]
    assert "Begin iteration 1, " in stderr
    assert "Begin iteration 0, " not in stderr


def test_a_retry_goes_on_with_the_iteration_that_failed_and_a_clear_begins_anew(
    loop: Spin,
) -> None:
    failed = loop.spin(0, FAIL_AT="2")
    assert (failed.ok, failed.task_id, failed.final) == (False, f"{loop.first}.i1", None)
    assert "count 2 fails" in (failed.error or "")

    result = loop.spin(1)
    assert result.ok, loop.run.text()
    assert "was done in try 1" in loop.run.text()
    assert loop.tasks(result) == loop.of(0, 1, 0)

    cleared = loop.spin(2, begin=2, OFTEN="2")
    assert cleared.ok, loop.run.text()
    assert loop.tasks(cleared) == loop.of(1, 2)


def test_each_iteration_has_retries_of_its_own(loop: Spin) -> None:
    assert not loop.spin(0, FAIL_AT="1").final
    second = loop.spin(1, FAIL_AT="2")
    assert (second.ok, second.final) == (False, None)  # its first attempt, though Airflow's second
    assert loop.spin(2, FAIL_AT="2").final is True
    # As when its pod was killed, and with it who would have said that it was the last one.
    refused = loop.spin(3)
    assert (refused.ok, refused.final) == (False, True)
    assert "has failed in each of its 2 attempts" in (refused.error or "")


def test_a_resumed_run_copies_the_iterations_that_are_done(loop: Spin, platform: Platform) -> None:
    assert not loop.spin(0, FAIL_AT="3").ok
    again = Spin(platform)
    task = again.task(0)
    clone = Clone(loop.run.pathspec("spin"))

    result = again.run.process(dataclasses.replace(task, clone=clone)).run()

    assert (result.ok, result.copied) == (True, None), again.run.text()
    assert again.run.text().count("copied from ") == 2
    # What was copied says what it was then; the last one ran here.
    assert again.tasks(result) == [*loop.of(0, 0), *again.of(0, 0, 0)[2:]]


def test_an_endless_loop_ends_with_a_sentence(loop: Spin) -> None:
    result = loop.spin(0, most=2, OFTEN="100")

    assert (result.ok, result.final) == (False, True)
    assert "chose itself again after 2 iterations" in (result.error or "")


def test_a_loop_that_is_cleared_while_it_runs_begins_anew(loop: Spin) -> None:
    process = loop.run.process(loop.task(0, OFTEN="100000", most=100000))
    thread = threading.Thread(target=process.run)
    thread.start()
    wait_for(lambda: "this is count 2" in loop.run.text(), "the second iteration to run", 60)
    process.terminate(signal.SIGTERM)
    thread.join()

    result = loop.spin(1)

    assert result.ok, loop.run.text()
    # How far it came before is another matter in each run of this test.
    assert loop.tasks(result)[:2] == loop.of(1, 1)
    assert len(loop.tasks(result)) == 3

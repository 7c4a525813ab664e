"""Attempts of a task, and the decorators that count them."""

from __future__ import annotations

import json
import signal
import threading

import pytest

from .support import LauncherRun, Platform
from .waiting import wait_for


@pytest.fixture(scope="module")
def run(platform: Platform) -> LauncherRun:
    """A run whose start step failed once and then ended well."""
    run = LauncherRun(platform, "DecoratedFlow", "decorated.py")
    fail = {"FAIL_BEFORE": "1", "COLOUR": "blue"}
    first = run.run("start", env=fail, max_user_code_retries=2, tags=("mine",))
    assert first.reason == "exit code 1: RuntimeError: attempt 0 fails"
    assert first.datasets == {"read": ["s3://features/1", "s3://tried/0"]}
    task = run.task("start", env=fail, attempt=1, max_user_code_retries=2, tags=("mine",))
    # A secret: no DAG file, and so no task, has the flow's own.
    second = run.process(task, SHARED_TOKEN="the worker's").run()
    assert second.ok, run.text()
    assert second.datasets == {
        "read": ["s3://features/1", "s3://tried/1"],
        "wrote": [f"metaflow://DecoratedFlow/{run.run_id}"],
    }
    return run


def test_the_last_attempt_counts(platform: Platform, run: LauncherRun) -> None:
    found = platform.artifacts(run.spec("start"))
    assert found["attempt"] == 1
    assert found["colour"] == "blue"
    assert found["token"] == "the flow's"
    assert found["username"] == "tester"
    assert found["namespace"] == "user:tester"
    assert found["origin"] is None
    assert "mine" in found["tags"]


def test_each_attempt_has_its_own_log(platform: Platform, run: LauncherRun) -> None:
    _, first = platform.streams(run.spec("start"), attempt=0)
    assert "attempt 0 fails" in first
    _, second = platform.streams(run.spec("start"), attempt=1)
    assert "attempt 0 fails" not in second


def test_a_card_is_found_by_its_client(platform: Platform, run: LauncherRun) -> None:
    found = platform.python(
        "import json, sys; from metaflow import Task, namespace;"
        "from metaflow.cards import get_cards; namespace(None);"
        "print(json.dumps([card.type for card in get_cards(Task(sys.argv[1]))]))",
        run.spec("start"),
    )
    assert found == ["default"]


def test_an_attempt_that_wrote_nothing_leaves_no_gap(platform: Platform) -> None:
    """Readers stop at the first attempt that is missing, and would take an older one's data."""
    run = LauncherRun(platform, "DecoratedFlow", "decorated.py")
    fail = {"FAIL_BEFORE": "1"}
    assert not run.run("start", env=fail, max_user_code_retries=3).ok
    start, _ = run.succeed("start", attempt=3, env=fail, max_user_code_retries=3)
    run.succeed("caught", [start])
    assert platform.artifacts(run.spec("caught"))["attempt"] == 3


def test_an_attempt_before_one_that_is_there_is_refused(
    platform: Platform, run: LauncherRun
) -> None:
    """A DAG run that was deleted and made again with its old name."""
    result = run.run("start")
    assert (result.ok, result.exit_code) == (False, 78)
    assert "has an attempt 1 already" in (result.error or "")
    assert platform.artifacts(run.spec("start"))["attempt"] == 1


def test_catch_takes_the_last_failure_of_the_users_code(
    platform: Platform, run: LauncherRun
) -> None:
    fail = {"FAIL": "1"}
    start = run.pathspec("start")
    assert not run.run("caught", [start], env=fail, max_user_code_retries=1).ok
    result = run.run("caught", [start], env=fail, attempt=1, max_user_code_retries=1)
    assert result.ok, run.text()
    found = platform.artifacts(run.spec("caught"))
    assert "nothing here" in json.dumps(found["failure"])


def test_catch_across_lives(platform: Platform) -> None:
    """A cleared task runs the step's code again, whatever its attempts were before."""
    run = LauncherRun(platform, "DecoratedFlow", "decorated.py")
    start, _ = run.succeed("start")
    fallback = run.run("caught", [start], attempt=5, max_user_code_retries=4)
    assert fallback.ok, run.text()
    assert "ran" not in platform.artifacts(run.spec("caught"))
    # The next try is the first attempt of the task's second generation, past its user retries.
    across = run.run("caught", [start], generation=1, max_user_code_retries=-2)
    assert across.ok, run.text()
    assert "ran" not in platform.artifacts(run.spec("caught", generation=1))
    cleared = run.run("caught", [start], generation=1, attempt=1, max_user_code_retries=2)
    assert cleared.ok, run.text()
    found = platform.artifacts(run.spec("caught", generation=1))
    assert found["ran"] is True
    assert found["failure"] is None


@pytest.mark.parametrize(("number", "runs"), [(signal.SIGTERM, True), (signal.SIGHUP, False)])
def test_after_somebody_ended_a_step_its_own_code_runs_and_not_catchs(
    platform: Platform, number: int, runs: bool
) -> None:
    """Clearing a running task leaves Airflow's count of tries as it was, as a timeout does."""
    run = LauncherRun(platform, "DecoratedFlow", "decorated.py")
    start, _ = run.succeed("start")
    process = run.process(run.task("caught", [start], env={"WAIT": "1"}))
    thread = threading.Thread(target=process.run)
    thread.start()
    wait_for(lambda: "waiting to be ended" in run.text(), "the step to start", 60)
    process.terminate(number)
    thread.join()

    assert run.run("caught", [start], attempt=1, max_user_code_retries=0).ok, run.text()

    assert ("ran" in platform.artifacts(run.spec("caught"))) is runs


def test_timeout_is_the_steps_own(platform: Platform, run: LauncherRun) -> None:
    result = run.run("timed", [run.pathspec("start")], env={"SLEEP": "30"})
    assert not result.ok
    assert result.timed_out
    assert "timed out after 0 hours, 0 minutes, 1 seconds" in (result.error or "")

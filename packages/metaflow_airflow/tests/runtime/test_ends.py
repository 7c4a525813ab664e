"""However a step ends, its processes are gone, its log is kept, and the reason is said."""

from __future__ import annotations

import dataclasses
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from metaflow_airflow.wire.task import StepResult

from .running import gone, start_step
from .support import LauncherRun, Platform
from .waiting import wait_for


def test_a_failure_says_the_steps_last_error(platform: Platform, fresh: LauncherRun) -> None:
    result = fresh.run("start", env={"TROUBLE": "fail"})
    assert result.reason == "exit code 1: ValueError: the answer is not 41"
    stdout, stderr = platform.streams(fresh.spec("start"))
    assert stdout.splitlines() == ["trouble: fail", "about to fail"]
    assert "ValueError: the answer is not 41" in stderr
    assert fresh.text("stdout").splitlines() == stdout.splitlines()


def test_the_steps_exit_code_is_the_launchers(fresh: LauncherRun) -> None:
    result = fresh.run("start", env={"TROUBLE": "leave"})
    assert result.reason == "exit code 7: said to stderr last"


@pytest.mark.parametrize(
    ("zones", "reason"),
    [
        ("set", "goes over self.zones, a set, whose order differs between processes"),
        ("endless", "goes over self.zones, which says no number of items"),
    ],
)
def test_a_foreach_that_cannot_be_mapped_is_refused_by_the_step(
    platform: Platform, zones: str, reason: str
) -> None:
    run = LauncherRun(platform, "UnorderedFlow", "unordered.py")
    result = run.run("start", env={"ZONES": zones})
    assert not result.ok
    assert result.error is not None
    assert reason in result.error


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("leave_early", "it ended with exit code 0, but not at its own end (sys.exit(0))"),
        ("end_process", "its process ended with exit code 0 before Metaflow had stored the task"),
    ],
)
def test_a_step_that_leaves_early_is_not_done(
    fresh: LauncherRun, trouble: str, reason: str
) -> None:
    result = fresh.run("start", env={"TROUBLE": trouble})
    assert not result.ok
    assert f"step start left early: {reason}" in result.reason
    assert result.exit_code == 202, "as under run, no retry helps"
    assert f"[metaflow-airflow] {result.error}" in fresh.text("stderr")


def test_a_step_killed_by_somebody(platform: Platform, fresh: LauncherRun) -> None:
    result = fresh.run("start", env={"TROUBLE": "kill9"})
    assert result.reason == "killed by SIGKILL: not by its launcher: out of memory?"
    stdout, stderr = platform.streams(fresh.spec("start"))
    assert "last words" in stdout
    assert f"the step was {result.reason}" in stderr
    fresh.succeed("start", attempt=1)


def test_terminate_asks_the_step_first(
    platform: Platform, fresh: LauncherRun, tmp_path: Path
) -> None:
    running = start_step(fresh, "polite", tmp_path)
    running.process.terminate()
    result = running.result()
    assert result.reason == "killed by SIGTERM: asked to end by SIGTERM"
    assert result.exit_code == 143
    stdout, stderr = platform.streams(fresh.spec("start"))
    assert "cleaning up after SIGTERM" in stdout
    assert "asked to end by SIGTERM" in stderr
    running.process.terminate()


def test_terminate_kills_a_step_that_does_not_listen(
    platform: Platform, fresh: LauncherRun, tmp_path: Path
) -> None:
    running = start_step(fresh, "deaf", tmp_path, grace=1)
    begun = time.monotonic()
    running.process.terminate()
    assert running.result().killed_by == signal.SIGTERM
    assert 1 <= time.monotonic() - begun < 15
    assert gone(running.pids)
    _, stderr = platform.streams(fresh.spec("start"))
    assert "did not end within 1 s: killing it" in stderr


@pytest.mark.parametrize("trouble", ["children", "children_and_sleep"])
def test_what_a_step_leaves_behind_is_ended(
    fresh: LauncherRun, tmp_path: Path, trouble: str
) -> None:
    """In its process group, in sessions of their own, forked or started."""
    running = start_step(fresh, trouble, tmp_path)
    assert len(running.pids) == 4
    if trouble == "children_and_sleep":
        running.process.terminate()
    assert running.result().ok == (trouble == "children")
    assert gone(running.pids)


def test_a_launcher_that_is_killed_takes_its_step_along(fresh: LauncherRun, tmp_path: Path) -> None:
    running = start_step(fresh, "children_and_sleep", tmp_path)
    running.launcher.kill()
    result = running.result()
    assert result.reason == ("killed by SIGKILL: the launcher of the step was killed by SIGKILL")
    assert gone(running.pids)
    host = Path(fresh.platform.environment["METAFLOW_AIRFLOW_TMPDIR"])
    assert not list(host.glob("metaflow-airflow-*/step-*"))
    fresh.succeed("start", attempt=1)


WORKER = """
import os, sys
from metaflow_airflow.runtime.worker.step_process import StepProcess
from metaflow_airflow.wire.task import StepTask
task = StepTask.from_json(open(sys.argv[1]).read())
StepProcess(task, python=sys.executable, on_line=lambda stream, line: None).run()
"""


def test_a_worker_that_is_killed_takes_its_step_along(
    platform: Platform, fresh: LauncherRun, tmp_path: Path
) -> None:
    started, file = tmp_path / "started", tmp_path / "task.json"
    task = fresh.task("start", env={"TROUBLE": "children_and_sleep", "STARTED": str(started)})
    file.write_text(task.to_json())
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(file)], env=platform.environment)
    try:
        wait_for(lambda: started.exists() and started.read_text(), "the start of the step")
        pids = [int(pid) for pid in started.read_text().split()]
        [launcher] = psutil.Process(worker.pid).children()
    finally:
        worker.kill()
        worker.wait()
    wait_for(lambda: gone(pids), "the end of the step", 20)
    wait_for(lambda: not launcher.is_running(), "the end of the launcher", 30)
    _, stderr = platform.streams(fresh.spec("start"))
    assert "the Airflow worker died: ending the step" in stderr
    fresh.succeed("start", attempt=1)


@pytest.mark.parametrize("it", ["downloads its code", "takes its place in the datastore"])
def test_a_worker_that_dies_before_the_step_starts(
    platform: Platform, fresh: LauncherRun, tmp_path: Path, it: str
) -> None:
    """The launcher asks a server that accepts and never answers."""
    sha = "1" * 40
    if it != "downloads its code":
        fresh.succeed("start")  # this host has the package from here on
        sha = fresh.task("start").code_sha
    with socket.create_server(("127.0.0.1", 0)) as server:
        file = tmp_path / "task.json"
        task = dataclasses.replace(
            fresh.task("start", attempt=1),
            code_sha=sha,
            env={"METAFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{server.getsockname()[1]}"},
        )
        file.write_text(task.to_json())
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(file)], env=platform.environment
        )
        try:
            server.settimeout(60)
            connection, _ = server.accept()
            [launcher] = psutil.Process(worker.pid).children()
        finally:
            worker.kill()
            worker.wait()
        with connection:
            wait_for(lambda: not launcher.is_running(), "the end of the launcher", 20)


def test_two_launchers_of_a_task_do_not_run_it_at_the_same_time(
    platform: Platform, fresh: LauncherRun, tmp_path: Path
) -> None:
    running = start_step(fresh, "sleep", tmp_path)
    second = LauncherRun(platform, fresh.flow, fresh.script, run_id=fresh.run_id)
    process = second.process(second.task("start", attempt=1))
    results: list[StepResult] = []
    thread = threading.Thread(target=lambda: results.append(process.run()))
    thread.start()
    try:
        waiting = f"waiting for the launcher with process id {running.process.pid}"
        wait_for(lambda: waiting in second.text(), "the second one's wait")
        assert psutil.pid_exists(running.pids[0])
    finally:
        running.process.terminate()
        running.result()
        thread.join(60)
    assert results[0].ok, second.text()

"""Steps, workers and servers that are killed: the run ends right, nothing runs twice at once."""

import os
import signal
import time

import psutil
import pytest
from embedded import processes

from .conftest import FLOWS

pytestmark = pytest.mark.stack


@pytest.fixture
def steady(bridge, tmp_path, monkeypatch, request):
    """A run whose step `work` has started and waits; its Airflow run id and the step's pid.

    Neither the step nor the helper that it has started listens to SIGTERM. The step has three
    retries, or as many as the test's parameter says.
    """
    retries = {"STEADY_RETRIES": str(getattr(request, "param", 3))}
    monkeypatch.setattr(bridge, "environment", {**bridge.environment, **retries})
    bridge.export(FLOWS / "steady.py")
    run_id = bridge.start("Steady", {"folder": str(tmp_path)})
    started = tmp_path / "0.pid"
    deadline = time.monotonic() + 120
    while not started.exists():
        assert time.monotonic() < deadline, f"work never began: {bridge.states('Steady', run_id)}"
        time.sleep(0.1)
    return run_id, int(started.read_text())


def gone(pid, within=30):
    """Wait until a process is gone."""
    deadline = time.monotonic() + within
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def helper(folder):
    """The process that the step has started."""
    return int((folder / "helper").read_text())


def work(bridge, run_id):
    return bridge.artifacts(f"Steady/{bridge.wait('Steady', run_id)}")["work"]


def test_a_killed_step_is_retried_as_the_next_attempt(bridge, steady):
    run_id, pid = steady

    os.kill(pid, signal.SIGKILL)

    artifacts = work(bridge, run_id)
    assert (artifacts["attempt"], artifacts["others_alive"]) == ("1", "[]")


@pytest.mark.parametrize("steady", [0], indirect=True, ids=["no retries"])
def test_a_killed_worker_takes_its_step_with_it_and_costs_no_retry(bridge, steady, tmp_path):
    run_id, pid = steady
    workers = [
        process
        for process in psutil.Process(pid).parents()
        if "airflow worker" in " ".join(process.cmdline()) or "airflow worker" in process.name()
    ]
    assert workers, [p.cmdline() for p in psutil.Process(pid).parents()]

    workers[0].kill()

    assert gone(pid), "the step outlived its worker"
    assert gone(helper(tmp_path)), "what the step started outlived it"
    artifacts = work(bridge, run_id)
    assert (artifacts["attempt"], artifacts["others_alive"]) == ("0", "[]")


def test_marking_a_run_failed_ends_the_step(bridge, steady, tmp_path):
    run_id, pid = steady

    bridge.client.set_run_state("Steady", run_id, "failed")

    assert gone(pid), "the step outlived its run"
    assert gone(helper(tmp_path)), "what the step started outlived it"
    bridge.wait("Steady", run_id, expect="failed")


def test_a_killed_scheduler_loses_no_step(bridge, stack, steady):
    run_id, pid = steady
    scheduler = stack.status()["servers"]["scheduler"]["pid"]

    os.kill(scheduler, signal.SIGKILL)
    gone(scheduler)
    stack.up()

    artifacts = work(bridge, run_id)
    assert artifacts["others_alive"] == "[]"
    assert gone(pid)


def test_a_killed_s3_server_loses_nothing(bridge, stack, steady, tmp_path):
    run_id, _ = steady
    server = stack.status()["servers"]["s3"]["pid"]

    os.kill(server, signal.SIGKILL)
    gone(server)
    stack.up()
    (tmp_path / "go").touch()

    artifacts = work(bridge, run_id)
    assert (artifacts["attempt"], artifacts["others_alive"]) == ("0", "[]")


@pytest.mark.parametrize("server", ["api-server", "postgres"])
def test_a_server_that_is_away_while_a_step_ends_fails_no_step(
    bridge, stack, steady, tmp_path, server
):
    """It does not answer, as on a machine that is paused: for 20 s, or $FAULT_SECONDS."""
    run_id, _ = steady
    stopped = processes.tree(stack.status()["servers"][server]["pid"])
    processes.send(stopped, signal.SIGSTOP)
    try:
        (tmp_path / "go").touch()
        time.sleep(float(os.environ.get("FAULT_SECONDS", "20")))
    finally:
        processes.send(stopped, signal.SIGCONT)

    artifacts = work(bridge, run_id)
    assert (artifacts["attempt"], artifacts["others_alive"]) == ("0", "[]")
    tries = {t["task_id"]: t["try_number"] for t in bridge.client.task_instances("Steady", run_id)}
    assert set(tries.values()) == {1}


def test_a_step_that_wants_no_retry_fails_at_once(bridge):
    bridge.export(FLOWS / "hopeless.py")
    run_id = bridge.start("Hopeless")

    bridge.wait("Hopeless", run_id, expect="failed", within=50)

    tasks = {t["task_id"]: t for t in bridge.client.task_instances("Hopeless", run_id)}
    assert (tasks["start"]["state"], tasks["start"]["try_number"]) == ("failed", 1)
    assert tasks["end"]["state"] == "upstream_failed"

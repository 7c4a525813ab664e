"""What the options of `airflow create` do on Airflow, and what the verbs say of it."""

import json
import subprocess
import sys
import time
from datetime import datetime

import pytest

from .conftest import FLOWS

pytestmark = pytest.mark.stack

FLOW = FLOWS / "limited.py"


@pytest.fixture(scope="module")
def verb(bridge):
    """Runs a verb: its exit code and what it printed to standard output."""

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, str(FLOW), "--no-pylint", "--quiet", "airflow", *arguments],
            env=dict(bridge.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout

    return run


@pytest.fixture(scope="module")
def create(verb):
    """Exports the flow; what `create --json` says."""

    def run(*arguments):
        code, text = verb("create", "--json", *arguments)
        assert code == 0, text
        return json.loads(text)

    return run


def most_at_once(bridge, run_id):
    """How many of the items Airflow had run at the same time."""
    tasks = bridge.client.task_instances("Limited", run_id)
    spans = [
        [datetime.fromisoformat(task[date]) for date in ("start_date", "end_date")]
        for task in tasks
        if task["task_id"] == "work"
    ]
    return max(sum(start <= moment < end for start, end in spans) for moment, _ in spans)


def test_a_paused_flow_waits_and_a_pool_of_one_slot_runs_one_item_at_a_time(bridge, verb, create):
    pool = {"name": "narrow", "slots": 1, "include_deferred": False}
    bridge.client._json("POST", "pools", json=pool)
    made = create("--is-paused-upon-creation", "--worker-pool=narrow")
    assert made["dag_id"] == "Limited"
    assert made["file"].endswith("/Limited.py")
    assert made["production_token"].startswith("limited-")

    run = json.loads(verb("trigger", "--json", "--count=2", "--seconds=1")[1])
    assert run["url"] == f"{made['url']}/runs/{run['dag_run_id']}"
    assert verb("status", run["run_id"]) == (4, f"{run['run_id']} PENDING\n")
    assert verb("unsuspend")[0] == 0
    assert bridge.wait("Limited", run["dag_run_id"]) == run["run_id"]

    code, text = verb("status", run["run_id"], "--json")
    assert (code, json.loads(text)["status"]) == (0, "SUCCEEDED")
    assert most_at_once(bridge, run["dag_run_id"]) == 1


def test_max_workers_bounds_the_steps_that_run_at_once(bridge, create):
    create("--max-workers=2")
    bridge.client.set_paused("Limited", False)

    run_id = bridge.start("Limited")

    bridge.wait("Limited", run_id)
    assert most_at_once(bridge, run_id) == 2


def test_a_run_that_takes_too_long_fails_and_its_steps_end(bridge, verb, create):
    create("--workflow-timeout=15")
    bridge.client.set_paused("Limited", False)

    run_id = bridge.start("Limited", {"count": 1, "seconds": 600})

    bridge.wait("Limited", run_id, expect="failed", within=90)
    deadline = time.monotonic() + 60
    while "running" in (states := bridge.states("Limited", run_id)).values():
        assert time.monotonic() < deadline, states
        time.sleep(0.3)
    assert verb("status", run_id)[0] == 3
    code, text = verb("list-runs", "--json", "--state=failed")
    assert (code, [run["dag_run_id"] for run in json.loads(text)]) == (0, [run_id])


def test_what_has_ended_or_is_deleted_is_not_ended_again(bridge, verb, create):
    create()
    bridge.client.set_paused("Limited", False)
    run = json.loads(verb("trigger", "--json", "--seconds=600")[1])["run_id"]
    assert verb("status", run)[0] == 4

    assert verb("terminate", run)[0] == 0
    assert verb("status", run) == (3, f"{run} FAILED\n")
    assert verb("terminate", run)[0] == 1
    assert verb("delete")[0] == 0
    assert verb("status", run)[0] == 1

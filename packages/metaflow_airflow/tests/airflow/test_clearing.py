"""Clearing tasks and runs in Airflow, as often as one likes, never corrupts a run."""

import time

import pytest

from .conftest import FLOWS

pytestmark = pytest.mark.stack

# Artifacts of the tasks that end a step's newest generation.
_NEWEST = """
import json, sys
from metaflow import Run, namespace
namespace(None)
newest = {}
for step in Run(sys.argv[1]):
    for task in step:
        generation = int(task.id.partition(".g")[2] or 0)
        if generation >= newest.get(step.id, (-1, {}))[0]:
            data = {a.id: a.data for a in task.artifacts if a.id in ("values", "attempt", "task")}
            newest[step.id] = (generation, data)
print("ANSWER" + json.dumps({step: data for step, (_, data) in newest.items()}))
"""


def clear(bridge, run_id, *tasks, downstream=True, dag_id="Cleared"):
    body = {
        "dry_run": False,
        "dag_run_id": run_id,
        "only_failed": False,
        "include_downstream": downstream,
        "reset_dag_runs": True,
        **({"task_ids": list(tasks)} if tasks else {}),
    }
    bridge.client._json("POST", f"dags/{dag_id}/clearTaskInstances", json=body)


@pytest.fixture
def cleared(bridge, tmp_path):
    """A finished run of flow Cleared that went by way of fan, and the file that decides."""
    bridge.export(FLOWS / "cleared.py")
    plan = tmp_path / "plan"
    plan.write_text("fan 3")
    run_id = bridge.start("Cleared", {"plan": str(plan)})
    bridge.wait("Cleared", run_id)
    return run_id, plan


def newest(bridge, run_id):
    import json

    return json.loads(bridge.python(_NEWEST, f"Cleared/{bridge.wait('Cleared', run_id)}"))


def test_a_run_that_turns_out_otherwise_takes_nothing_of_its_former_life(bridge, cleared):
    run_id, plan = cleared
    assert newest(bridge, run_id)["merge"]["values"] == [0, 1, 2]

    plan.write_text("fan 2")
    clear(bridge, run_id)
    assert newest(bridge, run_id)["merge"]["values"] == [0, 1]

    plan.write_text("flat 0")
    clear(bridge, run_id)
    assert newest(bridge, run_id)["merge"]["values"] == ["flat"]

    plan.write_text("fan 4")
    clear(bridge, run_id)
    assert newest(bridge, run_id)["merge"]["values"] == [0, 1, 2, 3]


def test_a_step_is_cleared_more_often_than_metaflow_has_attempts(bridge, cleared):
    run_id, _ = cleared
    first = newest(bridge, run_id)["merge"]["task"]

    seen = []
    for _ in range(7):
        clear(bridge, run_id, "merge")
        merge = newest(bridge, run_id)["merge"]
        seen.append((merge["task"].removeprefix(first), merge["attempt"]))

    assert seen == [
        ("", 1),
        ("", 2),
        ("", 3),
        ("", 4),
        ("", 5),
        (".g1", 0),
        (".g1", 1),
    ]


@pytest.mark.every_airflow("clear")
def test_one_item_that_is_cleared_runs_anew_without_the_others(bridge, cleared):
    run_id, _ = cleared

    clear(bridge, run_id, ["work", 1])

    tasks = bridge.artifacts(f"Cleared/{bridge.wait('Cleared', run_id)}")
    attempts = [tasks[f"work work:{item}"]["attempt"] for item in range(3)]
    assert (attempts, tasks["merge"]["attempt"]) == (["0", "1", "0"], "1")
    assert tasks["merge"]["values"] == "[0, 1, 2]"


def test_a_running_step_that_is_cleared_runs_anew_and_not_its_fallback(bridge, tmp_path):
    bridge.export(FLOWS / "caught.py")
    run_id = bridge.start("Caught", {"folder": str(tmp_path)})
    deadline = time.monotonic() + 120
    while not (tmp_path / "waiting").exists():
        assert time.monotonic() < deadline, bridge.states("Caught", run_id)
        time.sleep(0.2)

    clear(bridge, run_id, "start", dag_id="Caught")

    start = bridge.artifacts(f"Caught/{bridge.wait('Caught', run_id)}")["start"]
    assert (start["attempt"], start["failure"]) == ("1", "None")

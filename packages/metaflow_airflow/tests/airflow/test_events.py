"""What starts a flow by itself on a real Airflow: events, other flows, other teams' assets."""

import json
import time

import pytest

from .conftest import FLOWS
from .test_clearing import clear

pytestmark = pytest.mark.stack

OUTLETS = """
from airflow.sdk import DAG, Asset, task

RIGHT = Asset(name="right trips", uri="s3://lake/right")

with DAG("publisher", schedule=None, is_paused_upon_creation=False):
    @task(outlets=[RIGHT])
    def publish(*, outlet_events):
        outlet_events[RIGHT].extra = {"rows": 7}

    publish()
"""

# What Metaflow's client says of a flow's runs: at the start, at the end, and the run before.
TRIGGERED = """
import json, sys
from metaflow import Flow, namespace
namespace(None)
said = [
    [*(run[step].task.metadata_dict.get("execution-triggers") for step in ("start", "end")),
     run.trigger.run.pathspec]
    for run in Flow(sys.argv[1])
]
print("ANSWER" + json.dumps(said))
"""


def asset_id(bridge, name, within=60):
    deadline = time.monotonic() + within
    while True:
        found = bridge.client._get("assets", {"limit": 100})["assets"]
        for asset in found:
            if name in (asset["name"], asset["uri"]):
                return asset["id"]
        assert time.monotonic() < deadline, [asset["name"] for asset in found]
        time.sleep(0.5)


def publish(bridge, name, extra=None, **more):
    """By Airflow's own REST API."""
    body = {"asset_id": asset_id(bridge, name), "extra": extra or {}, **more}
    return bridge.client._json("POST", "assets/events", json=body)["id"]


def runs(bridge, dag_id, number, within=120):
    """The ids of a DAG's runs, once there are so many."""
    deadline = time.monotonic() + within
    while len(found := list(bridge.client.runs(dag_id))) < number:
        assert time.monotonic() < deadline, f"{dag_id}: {len(found)} of {number} runs"
        time.sleep(0.5)
    assert len(found) == number, [run["dag_run_id"] for run in found]
    return [run["dag_run_id"] for run in found]


def artifacts(bridge, flow, run_id, step):
    return bridge.artifacts(f"{flow}/{run_id}")[step]


def test_each_event_starts_a_run_with_its_parameters_and_its_end_starts_the_next_flow(bridge):
    bridge.export(FLOWS / "on_event.py")
    bridge.export(FLOWS / "on_finish.py")
    for month in ("2024-01", "2024-02", "2024-03"):
        payload = {"month": month, "rate": "3", "cfg": {"a": [1]}, "id": f"of {month}"}
        publish(bridge, "rides", payload)

    found = {}
    for dag_run in runs(bridge, "OnEvent", 3):
        run_id = bridge.wait("OnEvent", dag_run)
        steps = bridge.artifacts(f"OnEvent/{run_id}")
        found[steps["start"]["month"]] = steps
    assert sorted(found) == ["'2024-01'", "'2024-02'", "'2024-03'"]
    steps = found["'2024-02'"]
    assert steps["start"]["given"] == "('2024-02', 3, {'a': [1]})"
    assert steps["start"]["event"].startswith("('rides', 'of 2024-02', datetime.datetime(")
    assert steps["start"]["event"].endswith("'event')")
    assert steps["start"]["payload"].startswith("{'month': '2024-02', 'rate': '3'")
    assert steps["end"]["seen_at_the_end"] == "'rides'"
    assert steps["end"]["logical_date"] == "None"

    months = set()
    for dag_run in runs(bridge, "OnFinish", 3):
        run_id = bridge.wait("OnFinish", dag_run)
        start = artifacts(bridge, "OnFinish", run_id, "start")
        assert start["upstream"] == start["by_name"]
        assert start["kinds"] == "['run']"
        months.add(start["month"])
    assert months == set(found)

    ends = bridge.client._get("assets/events", {"source_dag_id": "OnEvent"})["asset_events"]
    assert sorted(end["source_run_id"] for end in ends) == sorted(runs(bridge, "OnEvent", 3))
    assert {end["source_task_id"] for end in ends} == {"end"}
    assert {end["name"] for end in ends} == {"metaflow.OnEvent.end"}


def test_what_a_flow_makes_is_an_event_of_its_asset_with_what_the_flow_says_of_it(bridge):
    made = bridge.client._get("assets/events", {"source_dag_id": "OnFinish"})["asset_events"]
    reports = [event for event in made if event["uri"] == "s3://lake/reports"]
    assert sorted(event["extra"]["month"] for event in reports) == ["2024-01", "2024-02", "2024-03"]
    assert {event["extra"]["version"] for event in reports} == {7}
    assert len({event["extra"]["pathspec"] for event in reports}) == 3
    assert {event["source_task_id"] for event in reports} == {"end"}


def test_an_end_is_published_once_for_each_time_that_it_succeeds(bridge):
    """Each end of OnFinish failed once and was tried again; one of them is cleared."""

    def ends():
        asked = {"source_dag_id": "OnFinish", "source_run_id": run}
        made = bridge.client._get("assets/events", asked)["asset_events"]
        return [event for event in made if event["name"] == "metaflow.OnFinish.end"]

    run = runs(bridge, "OnFinish", 3)[0]
    assert len(ends()) == 1

    clear(bridge, run, "end", dag_id="OnFinish")
    bridge.wait("OnFinish", run)
    first, second = ends()
    assert first["extra"]["run_id"] == second["extra"]["run_id"]


def test_the_start_task_says_what_triggered_it_as_on_metaflows_other_scheduler(bridge):
    seen = json.loads(bridge.python(TRIGGERED, "OnFinish"))
    assert len(seen) == 3
    for said, at_the_end, upstream in seen:
        [trigger] = json.loads(said)
        assert sorted(trigger) == ["id", "name", "timestamp", "type"]
        assert (trigger["name"], trigger["type"]) == ("metaflow.OnEvent.end", "run")
        assert trigger["id"].startswith(f"{upstream}/end/")
        assert at_the_end is None


def test_airflow_knows_the_way_from_an_event_through_both_flows(bridge):
    known = {asset["name"]: asset for asset in bridge.client.assets({})}
    end = known["metaflow.OnEvent.end"]
    assert [dag["dag_id"] for dag in known["rides"]["scheduled_dags"]] == ["OnEvent"]
    assert [(task["dag_id"], task["task_id"]) for task in end["producing_tasks"]] == [
        ("OnEvent", "end")
    ]
    assert [dag["dag_id"] for dag in end["scheduled_dags"]] == ["OnFinish"]
    assert known["metaflow.OnFinish.end"]["producing_tasks"]


def test_a_run_waits_for_all_its_events_and_for_another_teams_outlet(bridge):
    bridge.export(FLOWS / "on_both.py")
    bridge.versions.write({"publisher.py": OUTLETS.encode()})
    asset_id(bridge, "s3://lake/right")
    publish(bridge, "left")
    publish(bridge, "left")
    assert list(bridge.client.runs("OnBoth")) == []

    run = bridge.start("publisher")
    assert bridge.end("publisher", run) == "success"
    [dag_run] = runs(bridge, "OnBoth", 1)
    start = artifacts(bridge, "OnBoth", bridge.wait("OnBoth", dag_run), "start")
    assert start["names"] == "['left', 'left', 's3://lake/right']"
    assert start["given"] == "7"
    assert start["key"] == "None"


def test_a_required_parameter_that_the_payload_lacks_fails_the_start_in_a_sentence(bridge):
    before = set(runs(bridge, "OnEvent", 3))
    publish(bridge, "rides", {"rate": 1})
    [dag_run] = set(runs(bridge, "OnEvent", 4)) - before
    assert bridge.end("OnEvent", dag_run) == "failed"
    log = "\n".join(bridge.log("OnEvent", dag_run, "start"))
    assert "Event rides sets parameter *month*, which is required" in log
    assert "its payload lacks it (it has: " in log
    assert len(list(bridge.client.runs("OnFinish"))) == 3, "a failed run publishes nothing"


def test_existing_flows_publish_from_within_their_steps(bridge):
    bridge.export(FLOWS / "on_event.py")
    before = {run["dag_run_id"] for run in bridge.client.runs("OnEvent")}
    run_id = bridge.run(bridge.export(FLOWS / "publishing.py"))
    start = artifacts(bridge, "Publishing", run_id, "start")
    assert start["by_us"] != "None"

    started = set(runs(bridge, "OnEvent", len(before) + 3)) - before
    months = {
        artifacts(bridge, "OnEvent", bridge.wait("OnEvent", dag_run), "start")["month"]
        for dag_run in started
    }
    assert months == {"'argo'", "'safe'", "'ours'"}

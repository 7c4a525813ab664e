"""What the events of a run are to its steps, and what its end is to others."""

import json

from metaflow_airflow.attempt.run_events import Event, end_of_run, parameters_of, said_to_step
from metaflow_airflow.plan.record import Project
from metaflow_airflow.plan.step import Trigger

RIDES = Trigger("rides", parameters={"month": "of", "rate": "rate"}, required=("month",))
UP = Trigger("metaflow.Up.end", "run")


def event(name="rides", time="2026-01-01T00:00:00+00:00", **payload):
    return Event(name, name, time, payload)


def test_the_newest_event_sets_the_parameters_and_null_leaves_the_default():
    older = event(of="2024-01", rate=5)
    newer = event(time="2026-01-01T01:00:00+01:00", of="2024-00")
    newest = event(time="2026-01-01T00:00:01+00:00", of="2024-02", rate=None)

    assert parameters_of([RIDES], [newest, older, newer]) == ({"month": "2024-02"}, "")
    assert parameters_of([RIDES], [event("other")]) == ({}, "")


def test_a_required_parameter_that_the_payload_lacks_is_said():
    found, why = parameters_of([RIDES], [event(rate=1)])

    assert found == {}
    assert "*month*, which is required and has no default, by its field 'of'" in why
    assert "(it has: rate)" in why


def test_a_step_is_told_of_each_event():
    own = event(id="x", timestamp=7, of="2024-01")
    other = Event("name of it", "metaflow.Up.end", "2026-01-01T00:00:00+00:00")

    said = json.loads(said_to_step([RIDES, UP], [own, other, event("foreign")]))

    assert said == [
        {
            "timestamp": 7,
            "id": "x",
            "name": "rides",
            "type": "event",
            "payload": {"id": "x", "timestamp": 7, "of": "2024-01"},
        },
        {
            "timestamp": 1767225600,
            "id": "metaflow.Up.end@2026-01-01T00:00:00+00:00",
            "name": "metaflow.Up.end",
            "type": "run",
            "payload": {},
        },
    ]
    assert said_to_step([RIDES], []) == ""


def test_what_no_variable_holds_is_told_without_payload():
    [said] = json.loads(said_to_step([RIDES], [event(of="x" * 100_000)]))

    assert said["payload"] is None


def test_the_end_of_a_run_carries_what_metaflows_other_scheduler_sends():
    payload = end_of_run("Flow", Project("p", "user.ann"), "airflow-1/end/t-2")

    assert payload["id"] == payload["pathspec"] == "Flow/airflow-1/end/t-2"
    assert (payload["run_id"], payload["step_name"]) == ("airflow-1", "end")
    assert (payload["branch_name"], payload["is_user_branch"]) == ("user.ann", True)
    assert payload["project_flow_name"] == "p.user.ann.Flow"
    assert "project_name" not in end_of_run("Flow", None, "r/end/t")

"""What a step in a pod tells OpenLineage, though no worker runs it: to a real server."""

import json
from dataclasses import replace

import pytest
from http_receiver import receiving
from metaflow_airflow.operators import lineage_events
from metaflow_airflow.wire.task import StepResult

from .triggers import begun, trigger

READ, WROTE = "s3://features/1", "s3://predictions/1"


@pytest.fixture
def listening(monkeypatch):
    """Makes a server the one that Airflow's provider is told to tell."""

    def listening(url):
        transport = {"type": "http", "url": url, "timeout": 2, "retry": {"total": 0}}
        monkeypatch.setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", json.dumps(transport))
        lineage_events._adapter.cache_clear()

    yield listening
    monkeypatch.undo()
    lineage_events._adapter.cache_clear()


def ended(play, ok=True):
    """Play a step to its end; the event that ends its task."""
    result = StepResult(ok=ok, exit_code=0, read=(READ,), wrote=(WROTE,))
    if not ok:
        result = replace(result, exit_code=1, error="bad")
    state = {"exitCode": result.exit_code, "message": result.to_json()}
    found = []

    async def scenario(server):
        event, name = await begun(server, trigger())
        server.container(name, {"terminated": state}, phase="Succeeded" if ok else "Failed")
        found.append(await event)

    play(scenario)
    return type(found[0]).__name__


def of_type(name):
    return lambda each: each.body["eventType"] == name


@pytest.mark.parametrize(("ok", "kind"), [(True, "COMPLETE"), (False, "FAIL")])
def test_a_step_tells_what_it_read_and_wrote_however_it_ended(
    play, supervisor, listening, ok, kind
):
    with receiving() as receiver:
        listening(receiver.url)
        ended(play, ok)
        start = receiver.wait_for(of_type("START"), "start", within=30).body
        end = receiver.wait_for(of_type(kind), "end", within=30).body

    assert start["run"]["runId"] == end["run"]["runId"]
    assert start["job"]["name"] == end["job"]["name"] == "Flow.start"
    assert start["job"]["facets"]["metaflow"]["flow"] == "Flow"
    assert end["run"]["facets"]["metaflow"]["pathspec"].startswith("Flow/airflow-")
    assert end["run"]["facets"]["parent"]["job"]["name"] == "Flow"
    assert ("bad" in str(end["run"]["facets"].get("errorMessage"))) is not ok
    assert [each["name"] for each in end["inputs"] + end["outputs"]] == ["1", "1"]
    assert supervisor.xcoms["metaflow_datasets"] == {"read": [READ], "wrote": [WROTE]}


def test_a_server_that_is_gone_fails_no_step(play, listening):
    with receiving() as receiver:
        listening(receiver.url)

    assert ended(play) == "TaskSuccessEvent"


def test_where_nobody_listens_nothing_waits(play):
    assert ended(play) == "TaskSuccessEvent"
    assert not lineage_events._is_wanted(trigger().task_instance)

"""What the command line and the Deployer say of the events that start a flow, and refuse."""

from __future__ import annotations

import ast

import pytest

RIDES = '@trigger(event={"name": "rides", "parameters": {"month": "of"}})'
MONTH = 'month = Parameter("month", required=True)'
BOTH = '@trigger(events=["rides", "s3://lake/trips"])'
UPSTREAM = '@trigger_on_finish(flow="Up")'


def asset(name, made_by=(), waited_for_by=()):
    return {
        "name": name,
        "uri": name,
        "producing_tasks": [{"dag_id": dag_id, "task_id": "end"} for dag_id in made_by],
        "scheduled_dags": [{"dag_id": dag_id} for dag_id in waited_for_by],
    }


def test_create_says_what_will_start_the_flow_and_explain_draws_it(command):
    command.write(MONTH, on=RIDES)
    starts = "starts when event rides is published, month is its field of"

    assert starts in command.good("explain")
    output = command.good("create")
    assert f"It {starts}." in output
    assert "No DAG here publishes event rides: it comes from ArgoEvent" in output
    assert 'schedule=OnEvents(Asset("rides"))' in (command.dags / "Flow.py").read_text()

    command.airflow.assets = [asset("rides", made_by=["daily"])]
    assert "No DAG here publishes" not in command.good("create")


def test_without_triggers_a_flow_starts_when_it_is_triggered(command):
    command.write(MONTH, on=f"{RIDES}\n@airflow_asset(uri='s3://lake/made')")

    output = command.good("create", "--no-triggers")

    assert "It starts when it is triggered." in output
    text = (command.dags / "Flow.py").read_text()
    assert "schedule=None" in text
    assert "s3://lake/made" in text, "it still publishes"
    assert command.record().triggers == ()


def test_a_flow_with_a_schedule_and_events_starts_by_either(command):
    command.write(on=f"{BOTH}\n@schedule(daily=True)")

    output = command.good("create")

    assert "It starts by itself at '0 0 * * *' UTC." in output
    assert "It starts when event rides is published." in output
    assert "and asset s3://lake/trips is updated." in output
    assert "No DAG here publishes asset s3://lake/trips" in output


def test_the_deployer_knows_the_events_of_a_deployment(command):
    command.write(MONTH, on=RIDES)
    said = command.good("create")
    assert "rides" in said
    answer = command.python(
        """
        from metaflow import DeployedFlow
        found = DeployedFlow.from_deployment("Flow", impl="airflow")
        print([(each.name, each.kind, dict(each.parameters)) for each in found.triggers])
        """
    )
    assert ast.literal_eval(answer) == [("rides", "event", {"month": "of"})]


def test_two_branches_of_a_flow_wait_for_their_own_upstream(command):
    command.write(on=f"{UPSTREAM}\n@project(name='trips')")
    command.airflow.assets = [asset("metaflow.trips.prod.Up.end", made_by=["trips.prod.Up"])]

    mine, production = (
        command.good("explain", options=options) for options in ((), ("--production",))
    )

    assert "starts when flow trips.user.ann.Up has succeeded" in mine
    assert "starts when flow trips.prod.Up has succeeded" in production
    said = command.good("create")
    assert "Flow trips.user.ann.Up is not deployed on this Airflow" in said


def test_a_circle_by_what_flows_make_is_refused_though_airflow_lists_nobody_who_waits(command):
    """Who waits for an asset by its URI, only the details of that DAG say."""
    command.airflow.assets = [
        asset("s3://lake/made", made_by=["Flow"]),
        asset("s3://lake/theirs", made_by=["Other"]),
    ]
    command.airflow.sources["Other"] = ""
    command.airflow.pauses["Other"] = {
        "timetable_summary": "Events",
        "asset_expression": {"all": [{"asset_ref": {"uri": "s3://lake/made"}}]},
    }
    command.airflow.on_ask = lambda: None
    command.write(on="@trigger(event='s3://lake/theirs')\n@airflow_asset(uri='s3://lake/made')")

    refused = command.refused("create")

    assert "Flow -> s3://lake/made -> Other -> s3://lake/theirs -> Flow" in refused


@pytest.mark.parametrize(
    ("on", "body", "sentence"),
    [
        (f"{RIDES}\n{UPSTREAM}", MONTH, "neither 'and' nor 'or'"),
        ('@trigger(event="rides")', "", None),
        ('@trigger(event={"name": "rides", "parameters": {"no": "x"}})', "", "does not have"),
        ('@trigger(events=["rides", "rides"])', "", "Duplicate event names"),
        (BOTH, MONTH, "none of them sets it"),
        ('@trigger_on_finish(flow="Flow")', "", "waits for its own end (Flow -> Flow)"),
        (UPSTREAM, "", "Flow -> metaflow.Flow.end -> Up -> metaflow.Up.end -> Flow"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(command, on, body, sentence):
    command.airflow.assets = [
        asset("metaflow.Flow.end", made_by=["Flow"], waited_for_by=["Up"]),
        asset("metaflow.Up.end", made_by=["Up"], waited_for_by=["Flow"]),
    ]
    command.write(body, on=on)
    if sentence is None:
        assert "It starts when event rides is published" in command.good("create")
        return
    assert sentence in command.refused("create")
    assert list(command.dags.iterdir()) == []

"""What @trigger and @trigger_on_finish make of a DAG, and what they cannot."""

from types import SimpleNamespace

import pytest
from metaflow.parameters import set_parameter_context
from metaflow.plugins.events_decorator import TriggerDecorator, TriggerOnFinishDecorator
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.export.read_triggers import read_triggers
from metaflow_airflow.graph import Decorator, Graph
from metaflow_airflow.plan.dag import Plan, Triggers
from metaflow_airflow.plan.explanation import starts
from metaflow_airflow.plan.record import Parameter, Project
from metaflow_airflow.plan.step import Deployment, Trigger
from metaflow_airflow.plan.triggers import SaidTriggers, plan_triggers, read_assets

RATE = Parameter("Rate", "integer", default=1)
MONTH = Parameter("month", required=True)
TABLE = Parameter("table", "file", default="{}")
PROD = Project("trips", "prod", production=True)


def plan(said, *parameters, project=None):
    return plan_triggers(said, flow="Flow", project=project, parameters=parameters)


def events(*said, **options):
    return SaidTriggers(events=said, options=options)


def flows(*said):
    return SaidTriggers(flows=said)


def test_no_decorator_is_no_trigger():
    assert plan(SaidTriggers()) is None


def test_a_single_event_sets_the_parameters_that_are_called_like_its_fields():
    same = {"Rate": "Rate", "month": "month"}
    assert plan(events({"name": "rides"}), RATE, MONTH, TABLE) == Triggers(
        (Trigger("rides", parameters=same, required=("month",)),)
    )


def test_a_mapping_names_parameters_whatever_their_case():
    said = {"name": "rides", "parameters": {"rate": "per_mile"}}
    assert plan(events(said, {"name": "s3://lake/trips/"}), RATE) == Triggers(
        (Trigger("rides", parameters={"Rate": "per_mile"}), Trigger("s3://lake/trips"))
    )


@pytest.mark.parametrize(
    ("project", "said", "event"),
    [
        (None, {"flow": "Up"}, "metaflow.Up.end"),
        (PROD, {"flow": "Up"}, "metaflow.trips.prod.Up.end"),
        (PROD, {"flow": "Up", "branch": "user.ann"}, "metaflow.trips.user.ann.Up.end"),
        (None, {"flow": "Up", "project": "a", "branch": "prod"}, "metaflow.a.prod.Up.end"),
    ],
)
def test_a_flow_is_that_of_its_project_and_branch(project, said, event):
    assert plan(flows(said), project=project) == Triggers((Trigger(event, "run"),))


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (events({"name": "a b"}), "waits for the event 'a b'"),
        (events({"name": "a"}, {"name": "a"}), "waits for a twice"),
        (events({"name": "a", "parameters": {"x": "x"}}), "does not have (it has: Rate, table)"),
        (events({"name": "a", "parameters": {"rate": "x-y"}}), "field 'x-y'"),
        (events({"name": "a", "parameters": {"table": "x"}}), "an IncludeFile"),
        (
            events(
                {"name": "a", "parameters": {"rate": "x"}},
                {"name": "b", "parameters": {"rate": "x"}},
            ),
            "more than one field to parameter *rate*",
        ),
        (events({"name": "a"}, reset_at={"cron": "* *"}), "2 fields"),
        (
            events({"name": "a"}, reset_at={"cron": "@daily", "timezone": "Mars"}),
            "time zone 'Mars'",
        ),
        (events({"name": "a"}, retry=1), "Airflow knows reset_at"),
        (flows({"flow": "Flow"}), "waits for its own end (Flow -> Flow)"),
        (flows({"flow": "Up", "project": "p"}), "says no branch of it"),
        (SaidTriggers(({"name": "a"},), ({"flow": "Up"},)), "neither 'and' nor 'or'"),
    ],
)
def test_what_cannot_be_is_refused(said, sentence):
    with pytest.raises(BridgeError) as refused:
        plan(said, RATE, TABLE)
    assert sentence in str(refused.value)


def test_a_required_parameter_that_no_event_sets_is_refused():
    with pytest.raises(BridgeError, match=r"\*month\* is required .* none of them sets it"):
        plan(events({"name": "a", "parameters": {"rate": "x"}}), RATE, MONTH)


def making(*uris):
    decorators = tuple(Decorator("airflow_asset", {"uri": uri}) for uri in uris)
    return Graph("Flow", "start", "end", {}, decorators=decorators)


def test_a_flow_names_the_assets_that_it_makes():
    uris = making("s3://lake/models", "s3://lake/predictions/")
    assert read_assets(uris) == ("s3://lake/models", "s3://lake/predictions")


@pytest.mark.parametrize(
    ("uris", "sentence"),
    [
        ([None], "give the URI of what the flow makes"),
        (["predictions"], "give the URI of what the flow makes"),
        (["s3://me:secret@lake/x"], "names a user or a password"),
        (["s3://lake/x", "s3://lake/x/"], "s3://lake/x twice"),
    ],
)
def test_an_asset_that_cannot_be_is_refused(uris, sentence):
    with pytest.raises(BridgeError) as refused:
        read_assets(making(*uris))
    assert sentence in str(refused.value)


def said(triggers):
    return starts(Plan("Flow", "Flow", Deployment("flow.py"), (), triggers=triggers))


def test_what_starts_a_dag_is_said():
    planned = plan(
        events(
            {"name": "rides", "parameters": {"rate": "x"}},
            {"name": "s3://lake/trips"},
            reset_at={"cron": "0 3 * * *"},
        ),
        RATE,
    )
    assert list(said(planned)) == [
        "starts when event rides is published, Rate is its field x",
        "  and asset s3://lake/trips is updated",
        "  events that wait for others are forgotten at '0 3 * * *' UTC",
    ]
    assert list(said(plan(flows({"flow": "Up"})))) == ["starts when flow Up has succeeded"]


def test_what_is_decided_when_a_flow_is_deployed_is_asked_then(monkeypatch):
    monkeypatch.setenv("USER", "tester")
    set_parameter_context("Flow", None, SimpleNamespace(TYPE="s3"), {})
    mapped = {"name": lambda _: "b", "parameters": lambda _: ["rate", ("month", "of")]}
    decorator = TriggerDecorator({"events": [lambda _: "a", mapped], "options": {}})
    decorator.attributes["event"] = None
    decorator.flow_init("Flow", None, None, None, None, None, None, {})

    said = read_triggers(SimpleNamespace(_flow_decorators={"trigger": [decorator]}))

    assert [event["name"] for event in said.events] == ["a", "b"]
    assert said.events[1]["parameters"] == {"rate": "rate", "month": "of"}


def documented(kind, project=None, **attributes):
    """What starts a flow whose decorator is written as in Metaflow's documentation."""
    set_parameter_context("Flow", None, SimpleNamespace(TYPE="s3"), {})
    decorator = kind({**kind.defaults, **attributes})
    decorator.flow_init("Flow", None, None, None, None, None, None, {"trigger": ()})
    found = read_triggers(SimpleNamespace(_flow_decorators={kind.name: [decorator]}))
    return [line.strip() for line in said(plan(found, RATE, project=project))]


@pytest.mark.parametrize(
    ("attributes", "lines"),
    [
        (
            {"event": "data_updated"},
            ["starts when event data_updated is published, Rate is its field Rate"],
        ),
        (
            {"events": ["data_updated", "phase_of_the_moon"]},
            [
                "starts when event data_updated is published",
                "and event phase_of_the_moon is published",
            ],
        ),
        (
            {"event": {"name": "data_updated", "parameters": {"Rate": "rows"}}},
            ["starts when event data_updated is published, Rate is its field rows"],
        ),
        (
            {"events": [{"name": "a", "parameters": ["Rate", ("Rate", "x")]}, {"name": "b"}]},
            [
                "starts when event a is published, Rate is its field x",
                "and event b is published",
            ],
        ),
        (
            {"events": lambda context: [{"name": "a"}, "b"]},
            ["starts when event a is published", "and event b is published"],
        ),
    ],
)
def test_the_events_of_metaflows_documentation_are_taken_unchanged(monkeypatch, attributes, lines):
    monkeypatch.setenv("USER", "tester")
    assert documented(TriggerDecorator, **attributes) == lines


@pytest.mark.parametrize(
    ("attributes", "lines"),
    [
        ({"flow": "First"}, ["starts when flow trips.prod.First has succeeded"]),
        (
            {"flows": ["First", "Other"]},
            [
                "starts when flow trips.prod.First has succeeded",
                "and flow trips.prod.Other has succeeded",
            ],
        ),
        ({"flow": "p.test.x.First"}, ["starts when flow p.test.x.First has succeeded"]),
        (
            {"flow": {"name": "First", "project_branch": "test.x"}},
            ["starts when flow trips.test.x.First has succeeded"],
        ),
        ({"flow": lambda context: "First"}, ["starts when flow trips.prod.First has succeeded"]),
    ],
)
def test_the_flows_of_metaflows_documentation_are_taken_unchanged(monkeypatch, attributes, lines):
    monkeypatch.setenv("USER", "tester")
    assert documented(TriggerOnFinishDecorator, PROD, **attributes) == lines

"""Circles of flows, and events that nothing publishes, among the assets of an Airflow."""

import pytest
from metaflow_airflow.errors import NotSupportedError
from metaflow_airflow.export.check_triggers import notes, refuse_circle
from metaflow_airflow.plan.dag import Plan, Triggers
from metaflow_airflow.plan.step import Deployment, PlannedStep, Trigger


def asset(name, made_by=(), waited_for_by=(), uri=None):
    return {
        "name": name,
        "uri": uri or name,
        "producing_tasks": [{"dag_id": dag_id, "task_id": "end"} for dag_id in made_by],
        "scheduled_dags": [{"dag_id": dag_id} for dag_id in waited_for_by],
    }


def flow(name, *waits):
    end = PlannedStep("end", publishes=(f"metaflow.{name}.end",))
    return Plan(name, name, Deployment("flow.py"), (end,), triggers=Triggers(waits))


A, B, C = (f"metaflow.{name}.end" for name in "ABC")


def test_a_circle_is_refused_with_its_way():
    there = [asset(A, ["A"], ["B"]), asset(B, ["B"], ["C"]), asset(C, ["C"])]
    with pytest.raises(NotSupportedError) as refused:
        refuse_circle(flow("A", Trigger(C, "run")), there)
    assert f"A -> {A} -> B -> {B} -> C -> {C} -> A" in str(refused.value)


def test_a_circle_through_another_teams_dag_is_one_too():
    there = [asset(A, [], ["daily"]), asset("trips", ["daily"], [], uri="s3://lake/trips")]
    with pytest.raises(NotSupportedError, match="daily -> s3://lake/trips -> A"):
        refuse_circle(flow("A", Trigger("s3://lake/trips")), there)


def test_a_chain_and_what_the_flow_was_before_are_no_circle():
    there = [asset(A, ["A"], ["B", "A"]), asset(B, ["B"])]
    refuse_circle(flow("A", Trigger("rides")), there)


def test_what_nothing_publishes_is_said():
    there = [asset("rides", [], ["A"]), asset(B, ["B"], ["A"]), asset("x", ["A"])]
    plan = flow(
        "A",
        Trigger("rides"),
        Trigger(B, "run"),
        Trigger(C, "run"),
        Trigger("s3://a/b"),
        Trigger("x"),
    )
    first, second, third, fourth = notes(plan, there)
    assert first.startswith("No DAG here publishes event *rides*: it comes from ArgoEvent")
    assert second.startswith("Flow *C* is not deployed")
    assert third.startswith("No DAG here publishes asset *s3://a/b*")
    assert "*x*" in fourth

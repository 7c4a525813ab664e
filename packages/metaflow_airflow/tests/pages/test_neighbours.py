import json
from datetime import timedelta

import pytest
from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.xcom import XComModel
from airflow.utils.types import DagRunTriggeredByType
from metaflow_airflow.pages import lookup, neighbours
from metaflow_airflow.pages.neighbours import HandedOn, Neighbour
from metaflow_airflow.pages.task_address import TaskAddress
from sqlalchemy import insert

from .conftest import NOW, RUN


@pytest.fixture
def around(deployed, session):
    """The steps before and after a task instance of a run with three items."""
    run = deployed.run()
    for step in ("start", "join", "end"):
        deployed.task(step)
    for index in range(3):
        deployed.task("measure", index)
    record = lookup.record_of(session, deployed.plan.dag_id)

    def find(step, map_index=-1):
        address = TaskAddress(deployed.plan.dag_id, RUN, step, map_index)
        instance = lookup.instance_of(session, record, address)
        return neighbours.tasks_around(session, record, run, instance)

    return find


def test_a_foreach_step_gives_to_all_items_and_an_item_takes_from_the_one(around):
    assert around("start") == ([], [Neighbour("measure", 3, None)])
    assert around("measure", 1) == ([Neighbour("start", 1, -1)], [Neighbour("join", 1, -1)])


def test_a_join_takes_from_all_items(around):
    assert around("join") == ([Neighbour("measure", 3, None)], [Neighbour("end", 1, -1)])


def event(session, asset, run, seconds=0):
    made = AssetEvent(
        asset_id=asset.id,
        source_dag_id=run.dag_id,
        source_run_id=run.run_id,
        source_task_id="end",
        source_map_index=-1,
        timestamp=NOW + timedelta(seconds=seconds),
    )
    session.add(made)
    return made


def test_assets_lead_from_run_to_run_both_ways(deployed, session):
    first, second = deployed.run("first"), deployed.run("second")
    features, unread = (
        AssetModel(name=name, uri=f"s3://b/{name}", group="") for name in ("features", "unread")
    )
    session.add_all([features, unread])
    session.flush()
    event(session, features, first).created_dagruns.append(second)
    event(session, unread, first, seconds=1)
    session.commit()

    dag_id = deployed.plan.dag_id
    assert neighbours.effects(session, first, [dag_id]) == [
        HandedOn("s3://b/features", dag_id, "second"),
        HandedOn("s3://b/unread", None, None),
    ]
    assert neighbours.causes(session, second, [dag_id]) == [
        HandedOn("s3://b/features", dag_id, "first")
    ]
    assert neighbours.causes(session, first, [dag_id]) == []
    assert neighbours.effects(session, second, [dag_id]) == []
    # Somebody who may not see that DAG is told of the asset alone.
    assert neighbours.causes(session, second, []) == [HandedOn("s3://b/features", None, None)]


def test_a_task_that_triggered_the_run_is_its_cause_though_another_run_has_the_same_id(
    deployed, session
):
    parent = deployed.run("parent")
    for step, dag_id in (("start", "Other"), ("end", parent.dag_id)):
        deployed.task(step, run_id="parent")
        key = {"dag_id": parent.dag_id, "run_id": "parent", "task_id": step, "map_index": -1}
        left = {"key": "trigger_run_id", "value": json.dumps("made_by_it"), "timestamp": NOW}
        session.execute(insert(XComModel).values(dag_run_id=parent.id, **key, **left))
        rendered = {"rendered_fields": {"trigger_dag_id": dag_id}}
        session.execute(insert(RenderedTaskInstanceFields).values(**key, **rendered))
    run = deployed.run("made_by_it", triggered_by=DagRunTriggeredByType.OPERATOR)
    session.commit()

    seen = [parent.dag_id]
    assert neighbours.causes(session, run, seen) == [HandedOn("end", parent.dag_id, "parent")]
    assert neighbours.causes(session, parent, seen) == []

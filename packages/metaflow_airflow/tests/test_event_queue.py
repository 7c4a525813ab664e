"""Events and the runs that they start, by Airflow's own tables, DAG processor and scheduler."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from airflow.dag_processing.collection import update_dag_parsing_results_in_db
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models import import_all_models
from airflow.models.asset import AssetDagRunQueue, AssetModel, AssetPartitionDagRun
from airflow.models.base import Base
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG, Asset, BaseOperator
from airflow.sdk.timezone import utcnow
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from metaflow_airflow.operators.event_queue import EventQueue
from metaflow_airflow.operators.on_events import OnEvents
from sqlalchemy import create_engine, select
from sqlalchemy.orm import sessionmaker

BURST = 40
RIGHT = Asset(name="right trips", uri="s3://lake/right")
WAITING = {
    "single": OnEvents(Asset("left")),
    "by_uri": OnEvents(Asset.ref(uri=RIGHT.uri)),
    "both": OnEvents(Asset("left"), Asset.ref(uri=RIGHT.uri)),
    "reset": OnEvents(Asset("left"), RIGHT, reset_at=["* * * * *", "UTC"]),
    "plain": [Asset("left")],
}


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """Airflow's tables, with DAGs that wait for events as the DAG processor notes them."""
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('airflow')}/airflow.db")
    import_all_models()
    Base.metadata.create_all(engine)
    dags = []
    for dag_id, schedule in WAITING.items():
        with DAG(dag_id, schedule=schedule) as dag:
            BaseOperator(task_id="start", outlets=[RIGHT] if dag_id == "plain" else [])
        dags.append(LazyDeserializedDAG.from_dag(dag))
    with sessionmaker(engine)() as session:
        session.add(DagBundleModel(name="flows"))
        session.flush()
        update_dag_parsing_results_in_db("flows", None, dags, {}, None, set(), session)
        for model in session.scalars(select(DagModel)):
            model.is_paused = False
        session.commit()
    return engine


@pytest.fixture
def airflow(database, monkeypatch):
    """Publishes events, and has the scheduler look; what was written is undone."""
    with database.connect() as connection:
        outer = connection.begin()
        session = sessionmaker(connection, join_transaction_mode="create_savepoint")()
        scheduler = SchedulerJobRunner(Job())
        scheduler.job.id = 1

        def publish(name, payload=None, **event):
            asset = session.scalar(select(AssetModel).where(AssetModel.name == name))
            made = EventQueue.register_asset_change(
                asset=asset, extra=payload or {}, session=session, **event
            )
            session.flush()
            return made

        def look():
            scheduler._create_dagruns_for_partitioned_asset_dags(session)

        def runs(dag_id):
            found = session.scalars(select(DagRun).where(DagRun.dag_id == dag_id))
            return [
                (run.partition_key, [event.extra for event in run.consumed_asset_events])
                for run in found.unique()
            ]

        yield SimpleNamespace(publish=publish, look=look, runs=runs, session=session)
        session.close()
        outer.rollback()


def test_each_event_starts_a_run_of_its_own_with_a_partition_key_or_without(airflow):
    for number in range(3):
        airflow.publish("left", {"n": number})
    airflow.publish("left", {"n": 3}, partition_key="green/2024-01")
    airflow.look()
    airflow.look()

    runs = airflow.runs("single")
    assert sorted(extra["n"] for _, [extra] in runs) == [0, 1, 2, 3]
    assert [key for key, [extra] in runs if extra["n"] == 3] == ["green/2024-01"]


def test_an_asset_by_its_uri_is_one_whatever_its_name(airflow):
    airflow.publish("right trips")
    airflow.look()
    assert len(airflow.runs("by_uri")) == 1


def test_a_run_waits_for_all_and_what_comes_after_waits_for_the_next(airflow):
    airflow.publish("left", {"n": 1})
    airflow.publish("left", {"n": 2})
    airflow.look()
    assert airflow.runs("both") == []

    airflow.publish("right trips", {"n": 3})
    # Before the scheduler looks: it belongs to the same run, as nothing was started yet.
    airflow.publish("left", {"n": 4})
    airflow.look()
    airflow.publish("left", {"n": 5})
    airflow.look()
    [(_, events)] = airflow.runs("both")
    assert sorted(extra["n"] for extra in events) == [1, 2, 3, 4]

    airflow.publish("right trips", {"n": 6})
    airflow.look()
    assert [sorted(extra["n"] for extra in events) for _, events in airflow.runs("both")] == [
        [1, 2, 3, 4],
        [5, 6],
    ]


def test_events_of_partitions_meet_those_of_the_same_partition(airflow):
    airflow.publish("left", partition_key="2024-01")
    airflow.publish("right trips", partition_key="2024-02")
    airflow.publish("right trips")
    airflow.look()
    assert airflow.runs("both") == []

    airflow.publish("right trips", partition_key="2024-01")
    airflow.look()
    assert [key for key, _ in airflow.runs("both")] == ["2024-01"]


def test_what_waits_is_forgotten_when_it_was_to_be(airflow):
    airflow.publish("left", {"n": 1})
    for row in airflow.session.scalars(select(AssetPartitionDagRun)):
        row.created_at = utcnow() - timedelta(minutes=2)
    airflow.publish("right trips", {"n": 2})
    airflow.look()
    assert airflow.runs("reset") == []

    airflow.publish("left", {"n": 3})
    airflow.look()
    [(_, events)] = airflow.runs("reset")
    assert sorted(extra["n"] for extra in events) == [2, 3]


def test_other_dags_are_left_to_airflow(airflow):
    airflow.publish("left")
    queued = airflow.session.scalars(select(AssetDagRunQueue)).all()
    assert [row.target_dag_id for row in queued] == ["plain"]


def test_a_run_that_an_event_started_publishes_for_plain_dags_too(airflow):
    """Its partition key, which stands for the event alone, would keep them from starting."""
    airflow.publish("left")
    airflow.look()
    [(key, _)] = airflow.runs("single")
    assert key.startswith("event ")
    assert airflow.publish("left", partition_key=key).partition_key is None


def test_no_dag_hears_of_events_while_it_is_paused(airflow):
    airflow.session.get(DagModel, "single").is_paused = True
    airflow.publish("left")
    airflow.look()
    assert airflow.runs("single") == []


def test_a_scheduler_that_dies_before_it_commits_loses_no_run_and_makes_none_twice(airflow):
    airflow.publish("left", {"n": 1})
    died = airflow.session.begin_nested()
    airflow.look()
    assert len(airflow.runs("single")) == 1
    died.rollback()
    airflow.session.expire_all()
    assert airflow.runs("single") == []

    airflow.look()
    airflow.look()
    assert len(airflow.runs("single")) == 1


def test_a_burst_is_one_run_for_each_event(airflow):
    for number in range(BURST):
        airflow.publish("left", {"n": number})
    airflow.look()
    runs = airflow.runs("single")
    assert sorted(extra["n"] for _, [extra] in runs) == list(range(BURST))

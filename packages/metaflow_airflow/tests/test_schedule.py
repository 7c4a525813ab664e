"""Which tick a scheduled DAG runs next, by Airflow's own timetable and tables."""

from datetime import UTC, datetime, timedelta

import pytest
from airflow.models.dag import DagModel
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables.base import DataInterval, TimeRestriction
from metaflow_airflow.operators import next_tick
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

DAY = timedelta(days=1)
TICK = datetime(2026, 11, 27, 6, tzinfo=UTC)  # of today
NOW = TICK + timedelta(hours=1)


@pytest.fixture
def airflow_knows(tmp_path, monkeypatch):
    """Writes what Airflow's database says of the DAG."""
    engine = create_engine(f"sqlite:///{tmp_path}/airflow.db")
    DagModel.__table__.create(engine)
    session = sessionmaker(engine)
    monkeypatch.setattr("airflow.settings.NonScopedSession", session)

    def write(**columns):
        with session() as writing:
            writing.add(
                DagModel(
                    dag_id="Flow",
                    bundle_name="flows",
                    **{"is_paused": False, "is_stale": False} | columns,
                )
            )
            writing.commit()

    return write


def next_run(monkeypatch, *, last=None, catchup=False, now=NOW):
    monkeypatch.setattr("airflow.timetables.trigger.utcnow", lambda: now)
    monkeypatch.setattr(next_tick, "utcnow", lambda: now)
    timetable = next_tick.NextTickTimetable("0 6 * * *", timezone="UTC", dag_id="Flow")
    info = timetable.next_dagrun_info(
        last_automated_data_interval=DataInterval(last, last) if last else None,
        restriction=TimeRestriction(earliest=None, latest=None, catchup=catchup),
    )
    assert info
    return info.run_after


@pytest.mark.parametrize("catchup", [False, True])
def test_a_new_schedule_begins_with_the_next_tick(airflow_knows, monkeypatch, catchup):
    assert next_run(monkeypatch, catchup=catchup) == TICK + DAY


def test_a_tick_that_airflow_waited_for_is_run_though_late(airflow_knows, monkeypatch):
    airflow_knows(next_dagrun_create_after=TICK)
    assert next_run(monkeypatch, last=TICK - DAY) == TICK
    assert next_run(monkeypatch) == TICK, "the first one too"


def test_after_airflow_was_down_for_days_the_newest_tick_is_run(airflow_knows, monkeypatch):
    airflow_knows(next_dagrun_create_after=TICK - 3 * DAY)
    assert next_run(monkeypatch, last=TICK - 4 * DAY) == TICK


def test_a_tick_that_passed_in_a_pause_is_not_run_after_it(airflow_knows, monkeypatch):
    airflow_knows(is_paused=True, next_dagrun_create_after=TICK)
    assert next_run(monkeypatch, last=TICK - DAY) == TICK + DAY


def test_a_pause_that_has_ended_is_remembered(airflow_knows, monkeypatch):
    airflow_knows(next_dagrun_create_after=TICK + DAY)
    assert next_run(monkeypatch, last=TICK - DAY) == TICK + DAY
    assert next_run(monkeypatch, last=TICK - DAY, now=TICK + DAY) == TICK + DAY


def test_with_catchup_a_pause_is_made_up_for(airflow_knows, monkeypatch):
    airflow_knows(is_paused=True, next_dagrun_create_after=TICK - DAY)
    assert next_run(monkeypatch, last=TICK - 2 * DAY, catchup=True) == TICK - DAY


def test_an_exported_flow_that_was_gone_begins_anew(airflow_knows, monkeypatch):
    airflow_knows(is_stale=True, next_dagrun_create_after=TICK - 9 * DAY)
    assert next_run(monkeypatch, last=TICK - 10 * DAY) == TICK + DAY


def test_airflow_knows_the_timetable_by_its_plugin():
    timetable = next_tick.NextTickTimetable("0 6 * * *", timezone="Europe/Berlin", dag_id="Flow")
    again = decode_timetable(encode_timetable(timetable))
    assert isinstance(again, next_tick.NextTickTimetable)
    assert again.serialize() == timetable.serialize()
    assert again.summary == "0 6 * * *"

"""Metaflow's Airflow sensors and @schedule: a run waits for what they name, then works."""

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from .conftest import FLOWS

pytestmark = pytest.mark.stack

DAY = datetime(2026, 1, 2, 5, tzinfo=UTC)
_PUT = """
import sys, boto3
boto3.client("s3").put_object(Bucket="metaflow", Key="sensed/2026-01-02", Body=b"")
print("ANSWER")
"""


def start(bridge, dag_id, logical_date):
    body = {"dag_run_id": "of_that_day", "logical_date": logical_date.isoformat()}
    bridge.client._json("POST", f"dags/{dag_id}/dagRuns", json=body)


def test_a_run_starts_its_steps_once_the_other_dag_and_the_object_are_there(bridge):
    bridge.export(FLOWS / "single.py", "--name", "other")
    bridge.export(FLOWS / "sensors.py")
    start(bridge, "Sensors", DAY)
    waiting = {"upstream": "running", "s3_key_sensor_1": "up_for_reschedule", "start": None}
    deadline = time.monotonic() + 120
    while waiting.items() - (states := bridge.states("Sensors", "of_that_day")).items():
        assert states["start"] is None, states
        assert time.monotonic() < deadline, states
        time.sleep(0.2)
    bridge.python(_PUT)
    start(bridge, "other", DAY - timedelta(hours=1))

    bridge.wait("Sensors", "of_that_day")
    assert set(bridge.states("Sensors", "of_that_day").values()) == {"success"}


def test_a_schedule_counts_in_its_time_zone(bridge):
    next_run = datetime.fromisoformat(bridge.client.dag("Sensors")["next_dagrun_run_after"])

    assert next_run > datetime.now(UTC)
    assert next_run.astimezone(ZoneInfo("Europe/Berlin")).strftime("%H:%M") == "06:00"


def test_a_schedule_does_not_begin_with_the_time_that_has_passed(bridge, tmp_path):
    """Airflow's own timetable runs the last one at once for a tenth of the period."""
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    path = tmp_path / "late.py"
    text = (
        (FLOWS / "single.py")
        .read_text()
        .replace("class Single", "@schedule(cron=CRON)\nclass Late")
    )
    text = text.replace("Single()", "Late()").replace(
        "import FlowSpec", "import FlowSpec, schedule"
    )
    path.write_text(text.replace("CRON", repr(f"{an_hour_ago:%M} {an_hour_ago:%H} * * *")))

    dag_id = bridge.export(path)

    next_run = datetime.fromisoformat(bridge.client.dag(dag_id)["next_dagrun_run_after"])
    assert timedelta(hours=22) < next_run - datetime.now(UTC) < timedelta(hours=23, minutes=1)
    assert bridge.client._get(f"dags/{dag_id}/dagRuns", {})["dag_runs"] == []

"""The end of a pause: what was missed in it is not run."""

from datetime import UTC, datetime, timedelta

import pytest
from metaflow_airflow.airflow_api.unpause import unpause

PAST = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
TO_COME = (datetime.now(UTC) + timedelta(days=1)).isoformat()


def paused(airflow, **details):
    airflow.sources["Flow"] = ""
    airflow.pauses["Flow"] = {"is_paused": True, "next_dagrun_run_after": PAST, **details}
    return airflow.pauses["Flow"]


def test_a_file_that_was_not_read_since_the_missed_time_is_read_first(airflow):
    details = paused(airflow)

    def read():
        assert details["is_paused"], "read while it is paused"
        details["next_dagrun_run_after"] = TO_COME

    airflow.on_parse = read

    assert unpause(airflow.client, "Flow")
    assert airflow.parsed == ["Flow"]
    assert not details["is_paused"]


def test_where_the_file_is_not_read_it_says_so_and_unpauses(airflow):
    details = paused(airflow)

    assert not unpause(airflow.client, "Flow", within=0.1)
    assert not details["is_paused"]


@pytest.mark.parametrize(
    "details",
    [
        {"next_dagrun_run_after": TO_COME},
        {"next_dagrun_run_after": None},
        {"catchup": True},
        {"is_paused": False},
    ],
    ids=["nothing missed", "no schedule", "it is to be made up for", "not paused"],
)
def test_else_it_is_unpaused_at_once(airflow, details):
    after = paused(airflow, **details)

    assert unpause(airflow.client, "Flow")
    assert airflow.parsed == []
    assert not after["is_paused"]

"""Reads what runs left in a real S3 server, written by the data team's own command."""

import os
import subprocess
import sys

import pytest
from embedded.errors import StackError
from pipeline import results
from s3_server import S3Server


@pytest.fixture(scope="module")
def published(s3_server: S3Server) -> dict[str, str]:
    """An environment; in its bucket a month of made-up trips."""
    root = f"s3://{s3_server.bucket}/results"
    env = s3_server.environment | {"TRIP_DATA_ROOT": root}
    done = subprocess.run(
        [sys.executable, "-m", "data_engineering", "--cab", "green", "--month", "2024-01",
         "--source", "generator", "--rows", "2000", "--root", root],
        env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return env


def test_made_up_trips_are_found_where_the_data_team_keeps_them_apart(
    published: dict[str, str],
) -> None:
    (found,) = results.features(published, "green", ["2024-01"], made_up=True)

    assert (found["cab"], found["month"], found["source"]) == ("green", "2024-01", "generator")
    assert found["rows_kept"] > 0


def test_a_month_that_is_not_there_is_named(published: dict[str, str]) -> None:
    with pytest.raises(StackError, match=r"cannot read s3://\S+/features/green/2024-01/current"):
        results.features(published, "green", ["2024-01"])

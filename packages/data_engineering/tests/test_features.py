"""What features are made of, checked against the same sums in plain Python."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from data_engineering import contract
from data_engineering.features import column_types, features, schema
from data_engineering.generator import generate
from data_engineering.validate import check_columns, judge, trips
from data_engineering.zones import BOROUGH_OF

# Contract 1, word for word: readers rely on these names and types.
CONTRACT_1 = {
    "pickup_at": pl.Datetime("us"),
    "pickup_zone": pl.Int16,
    "dropoff_zone": pl.Int16,
    "hour": pl.Int8,
    "weekday": pl.Int8,
    "passenger_count": pl.Int8,
    "trip_distance_miles": pl.Float32,
    "duration_minutes": pl.Float32,
    "fare_dollars": pl.Float32,
    "pickup_borough": pl.String,
    "dropoff_borough": pl.String,
}


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    path = tmp_path_factory.mktemp("month") / "green.parquet"
    generate(path, "green", "2024-02", rows=5_000, seed=3)
    file = pl.scan_parquet(path)
    columns = check_columns(file.collect_schema(), "green", str(path))
    return features(judge(trips(file, columns), "2024-02")).collect(engine="streaming")


def test_all_columns_of_contract_1_are_there_with_their_types(month):
    assert contract.VERSION == 1
    assert {name: month.schema[name] for name in CONTRACT_1} == CONTRACT_1
    assert month.schema == schema()
    assert list(column_types()) == month.columns


def test_every_value_follows_from_the_trip(month):
    assert month.height > 4_000
    for row in month.iter_rows(named=True):
        at: datetime = row["pickup_at"]
        assert (row["hour"], row["weekday"], row["day_of_month"]) == (at.hour, at.weekday(), at.day)
        assert row["minute_of_day"] == at.hour * 60 + at.minute
        assert row["zone_pair"] == row["pickup_zone"] * 1000 + row["dropoff_zone"]
        assert row["pickup_borough"] == BOROUGH_OF[row["pickup_zone"]]
        assert row["dropoff_borough"] == BOROUGH_OF[row["dropoff_zone"]]
        assert 1 <= row["duration_minutes"] <= 60
        assert 0 < row["trip_distance_miles"] <= 100
        assert f"{at:%Y-%m}" == "2024-02"


def test_only_the_passenger_count_may_be_null(month):
    nulls = month.null_count().row(0, named=True)
    assert nulls.pop("passenger_count") > 0
    assert set(nulls.values()) == {0}


def test_no_row_is_read_that_is_not_asked_for(tmp_path: Path):
    """Lazy to the end: of 20 columns in the file, Polars reads the 7 that features need."""
    path = tmp_path / "green.parquet"
    generate(path, "green", "2024-02", rows=100, seed=0)
    file = pl.scan_parquet(path)
    columns = check_columns(file.collect_schema(), "green", str(path))
    plan = features(judge(trips(file, columns), "2024-02")).explain()
    assert "PROJECT 7/20 COLUMNS" in plan

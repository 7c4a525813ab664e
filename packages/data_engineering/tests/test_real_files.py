"""TLC's own files: counts and features beside a row-by-row computation that shares no code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from data_engineering.trips.tally import Tally

from .trips_files import made_of

Find = Callable[[str], Path]

FILES = [
    ("green", "2023-12", "green_tripdata_2023-12.parquet"),
    ("green", "2024-01", "green_tripdata_2024-01.parquet"),
    ("green", "2024-01", "green_tripdata_2024-01.int64codes.parquet"),
    ("yellow", "2025-02", "yellow_tripdata_sample_2025-02.parquet"),
]


def ours(path: Path, folder: Path, cab: str, month: str) -> tuple[Tally, pl.DataFrame]:
    made = made_of(path, folder, cab, month)
    return made.tally, made.features


def reason_of(row: dict[str, Any], prefix: str, month: str) -> str:
    begin: datetime = row[f"{prefix}_pickup_datetime"]
    seconds = (row[f"{prefix}_dropoff_datetime"] - begin).total_seconds()
    if begin.strftime("%Y-%m") != month:
        return "other_month"
    if seconds <= 0:
        return "non_positive_duration"
    if seconds > 3 * 3600:
        return "too_long"
    if row["trip_distance"] <= 0:
        return "zero_distance"
    if row["trip_distance"] > 100:
        return "too_far"
    if row["PULocationID"] in (264, 265) or row["DOLocationID"] in (264, 265):
        return "unknown_zone"
    return "kept" if 60 <= seconds <= 3600 else "outside_range"


def trip(row: dict[str, Any], prefix: str, sign: int = 1) -> tuple[Any, ...]:
    names = [f"{prefix}_pickup_datetime", f"{prefix}_dropoff_datetime", "PULocationID",
             "DOLocationID", "passenger_count", "trip_distance"]  # fmt: skip
    money = (sign * row["fare_amount"], sign * row["total_amount"])
    return (*(row[name] for name in names), *money)


@pytest.mark.parametrize(("cab", "month", "name"), FILES)
def test_counts_and_features_are_those_of_a_plain_loop(
    tlc_file: Find, tmp_path: Path, cab: str, month: str, name: str
) -> None:
    path = tlc_file(name)
    counts, built = ours(path, tmp_path, cab, month)
    prefix = "lpep" if cab == "green" else "tpep"
    rows = pq.read_table(path).to_pylist()
    taken_back = {trip(row, prefix, -1) for row in rows}
    reasons = [
        "refund"
        if (reason := reason_of(row, prefix, month)) == "kept"
        and min(row["fare_amount"], row["total_amount"]) < 0
        and trip(row, prefix) in taken_back
        else reason
        for row in rows
    ]
    found = Counter(reasons)
    kept = [row for row, reason in zip(rows, reasons, strict=True) if reason == "kept"]
    assert counts.rows_read == len(rows)
    assert counts.rows_kept == found.pop("kept") == len(built)
    assert {reason: n for reason, n in counts.set_aside.items() if n} == dict(found)
    assert counts.noted["null_passenger_count"] == sum(r["passenger_count"] is None for r in kept)
    expected = Counter(
        (
            row[f"{prefix}_pickup_datetime"],
            row["PULocationID"],
            row["DOLocationID"],
            row[f"{prefix}_pickup_datetime"].hour,
            row[f"{prefix}_pickup_datetime"].weekday(),
            row["passenger_count"],
        )
        for row in kept
    )
    columns = ["pickup_at", "pickup_zone", "dropoff_zone", "hour", "weekday", "passenger_count"]
    assert Counter(built.select(columns).iter_rows()) == expected
    minutes = [
        (r[f"{prefix}_dropoff_datetime"] - r[f"{prefix}_pickup_datetime"]).total_seconds() / 60
        for r in kept
    ]
    assert sum(minutes) == pytest.approx(built["duration_minutes"].cast(pl.Float64).sum())
    assert built["duration_minutes"].is_between(1, 60).all()


def test_dirt_is_in_the_ranges_that_were_measured(tlc_file: Find, tmp_path: Path) -> None:
    for month in ("2023-12", "2024-01"):
        counts, _ = ours(tlc_file(f"green_tripdata_{month}.parquet"), tmp_path, "green", month)
        assert 2 <= counts.dirt["other_month"] <= 21
        assert 43 <= counts.dirt["non_positive_duration"] <= 85
        assert 190 <= counts.dirt["too_long"] <= 344
        assert 1_500 <= counts.dirt["zero_distance"] <= 3_300
        assert 13 <= counts.dirt["too_far"] <= 48
        assert 1_600 <= counts.dirt["null_passenger_count"] <= 5_600


def test_code_types_make_no_difference(tlc_file: Find, tmp_path: Path) -> None:
    one = ours(tlc_file("green_tripdata_2024-01.parquet"), tmp_path / "1", "green", "2024-01")
    other = ours(
        tlc_file("green_tripdata_2024-01.int64codes.parquet"), tmp_path / "2", "green", "2024-01"
    )
    assert one[0] == other[0]
    assert one[1].equals(other[1])

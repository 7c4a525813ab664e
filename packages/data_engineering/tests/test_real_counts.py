"""TLC's real files, counted again row by row without Polars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from data_engineering.contract.reasons import NOTED, REASONS
from data_engineering.trips.tally import Tally

from .trips_files import made_of

REAL = [
    ("green", "2023-12", "green_tripdata_2023-12.parquet"),
    ("green", "2024-01", "green_tripdata_2024-01.parquet"),
    ("green", "2024-01", "green_tripdata_2024-01.int64codes.parquet"),
    ("yellow", "2025-02", "yellow_tripdata_sample_2025-02.parquet"),
]


def counted_in_plain_python(path: Path, cab: str, month: str) -> dict[str, Any]:
    """Count row by row without Polars, from the contract's words."""
    prefix = "lpep" if cab == "green" else "tpep"
    aside: Counter[str] = Counter()
    only: Counter[str] = Counter()
    dirt: Counter[str] = Counter()
    noted: Counter[str] = Counter()
    rows = pq.read_table(path).to_pylist()

    def trip(each: dict[str, Any], sign: int = 1) -> tuple[Any, ...]:
        names = ("PULocationID", "DOLocationID", "passenger_count", "trip_distance")
        money = (each["fare_amount"] * sign, each["total_amount"] * sign)
        times = (each[f"{prefix}_pickup_datetime"], each[f"{prefix}_dropoff_datetime"])
        return (*times, *(each[name] for name in names), *money)

    there = Counter(trip(each) for each in rows)
    assert max(there.values()) == 1
    for each in rows:
        begin, end = each[f"{prefix}_pickup_datetime"], each[f"{prefix}_dropoff_datetime"]
        minutes = (end - begin).total_seconds() / 60
        zones = each["PULocationID"], each["DOLocationID"]
        fare = each["fare_amount"]
        holds = {
            "other_month": f"{begin:%Y-%m}" != month,
            "non_positive_duration": minutes <= 0,
            "too_long": minutes > 180,
            "zero_distance": each["trip_distance"] <= 0,
            "too_far": each["trip_distance"] > 100,
            "unknown_zone": any(zone in (None, 264, 265) for zone in zones),
            "outside_range": 0 < minutes < 1 or minutes > 60,
            "refund": (fare < 0 or fare == 0 > each["total_amount"]) and trip(each, -1) in there,
        }
        notes = {
            "null_passenger_count": each["passenger_count"] is None,
            "non_positive_fare": fare <= 0,
        }
        dirt.update(name for name, true in (holds | notes).items() if true)
        true = [name for name, true in holds.items() if true]
        aside[true[0] if true else "kept"] += 1
        if len(true) == 1:
            only[true[0]] += 1
        if not true:
            noted.update(name for name, true in notes.items() if true)
    return {
        "rows_read": len(rows),
        "rows_kept": aside["kept"],
        "set_aside": {name: aside[name] for name in REASONS},
        "noted": {name: noted[name] for name in NOTED},
        "dirt": {name: dirt[name] for name in (*REASONS, *NOTED)},
        "only": {name: only[name] for name in REASONS},
    }


@pytest.mark.parametrize(("cab", "month", "name"), REAL)
def test_real_files_are_counted_as_plain_python_counts_them(tlc_file, tmp_path, cab, month, name):
    path = tlc_file(name)
    made = made_of(path, tmp_path, cab, month)
    counts = made.tally
    expected = counted_in_plain_python(path, cab, month)
    assert {name: getattr(counts, name) for name in expected} == expected
    assert counts.rows_read == counts.rows_kept + sum(counts.set_aside.values())
    assert made.features.height == counts.rows_kept
    assert made.quarantine.height == sum(counts.set_aside.values())


def known(find: Callable[[str], Path], folder: Path) -> Tally:
    return made_of(find("green_tripdata_2024-01.parquet"), folder).tally


def test_the_real_months_are_the_ones_we_know(tlc_file, tmp_path):
    counts = known(tlc_file, tmp_path)
    assert (counts.rows_read, counts.rows_kept) == (56_551, 52_199)
    assert counts.set_aside == {
        "other_month": 2,
        "non_positive_duration": 76,
        "too_long": 225,
        "zero_distance": 2_804,
        "too_far": 44,
        "unknown_zone": 365,
        "outside_range": 779,
        "refund": 57,
        "duplicate": 0,
    }
    assert counts.dirt["refund"] == 181
    assert counts.missing_days == []

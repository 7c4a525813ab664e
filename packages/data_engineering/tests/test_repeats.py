"""Copies of rows and refunds are one trip, wherever in the file they are."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from data_engineering.sources.generator import generate
from data_engineering.trips import read
from data_engineering.trips.repeats import fingerprints

from .trips_files import GOOD, made_of, opened, row, table, write

FARE = GOOD["fare_amount"]


def kinds(frame: pl.DataFrame, folder: Path) -> tuple[int, dict[str, int]]:
    """Return how many rows are kept, and how many have each reason."""
    tally = made_of(write(folder, frame), folder / "out").tally
    return tally.rows_kept, {name: n for name, n in tally.dirt.items() if n}


@pytest.mark.parametrize(
    ("rows", "kept", "reasons"),
    [
        ([row(), row(fare_amount=-FARE)], 1, {"refund": 1}),
        ([row(fare_amount=-FARE), row()], 1, {"refund": 1}),
        ([row(fare_amount=-FARE)], 1, {"non_positive_fare": 1}),
        ([row(), row(fare_amount=-FARE - 1)], 2, {"non_positive_fare": 1}),
        ([row(), row(fare_amount=-FARE, trip_distance=9.0)], 2, {"non_positive_fare": 1}),
        ([row(), row(fare_amount=-FARE)] * 2, 1, {"refund": 2, "duplicate": 2}),
        ([row(), row()], 1, {"duplicate": 1}),
        ([row(), row(VendorID=1)], 1, {"duplicate": 1}),
        ([row(), row(PULocationID=75, DOLocationID=74)], 2, {}),
        ([row(passenger_count=None), row(passenger_count=0.0)], 2, {"null_passenger_count": 1}),
        ([row(fare_amount=-FARE)] * 2, 1, {"duplicate": 1, "non_positive_fare": 2}),
    ],
)
def test_a_trip_counts_once(tmp_path, rows, kept, reasons) -> None:
    found, named = kinds(table(rows), tmp_path)
    named.pop("non_positive_fare", None) if "refund" in named else None
    assert (found, named) == (kept, reasons)


def test_a_refund_of_a_ride_without_fare_is_told_by_its_total(tmp_path: Path) -> None:
    rows = table([row(fare_amount=0.0)] * 2).with_columns(total_amount=pl.Series([-4.25, 4.25]))
    assert kinds(rows, tmp_path) == (1, {"refund": 1, "non_positive_fare": 2})


@pytest.mark.parametrize("times", [2, 3])
def test_a_file_that_holds_a_month_several_times_gives_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setattr(read, "BATCH", 700)
    generate(tmp_path / "a.parquet", "green", "2024-01", rows=2_000, seed=1)
    once = pl.read_parquet(tmp_path / "a.parquet")
    several = write(tmp_path, pl.concat([once] * times), "b.parquet")
    first, again = (
        made_of(path, tmp_path / path.stem) for path in (tmp_path / "a.parquet", several)
    )
    order = ["pickup_at", "zone_pair", "trip_distance_miles", "duration_minutes"]
    assert again.features.sort(order).equals(first.features.sort(order))
    assert again.tally.dirt["duplicate"] == (times - 1) * 2_000
    later = again.quarantine.filter(pl.col("reasons").list.contains("duplicate"))
    assert later["source_row"].min() == 2_000


def test_real_refunds_are_found(tmp_path: Path, tlc_file) -> None:
    """As plain Python finds them, in a month of TLC's."""
    path = tlc_file("green_tripdata_2023-12.parquet")
    rows = pl.read_parquet(path).rows(named=True)
    names = ["lpep_pickup_datetime", "lpep_dropoff_datetime", "PULocationID", "DOLocationID",
             "passenger_count", "trip_distance", "fare_amount", "total_amount"]  # fmt: skip
    there = Counter(tuple(row[name] for name in names) for row in rows)
    back = [
        row
        for row in rows
        if row["total_amount"] < 0
        and tuple(-row[n] if n in names[-2:] else row[n] for n in names) in there
    ]
    made = made_of(path, tmp_path, "green", "2023-12")
    assert made.tally.dirt["refund"] == len(back) > 150


def test_other_trips_have_other_fingerprints(tmp_path: Path) -> None:
    """Trips that differ in one value by a little, in every column."""
    at = GOOD["lpep_pickup_datetime"]
    changes = [
        *({"lpep_pickup_datetime": at - timedelta(seconds=n)} for n in range(1, 300)),
        *({"lpep_dropoff_datetime": at + timedelta(seconds=n)} for n in range(1, 300)),
        *({"PULocationID": n} for n in range(1, 74)),
        *({"DOLocationID": n} for n in range(1, 75)),
        *({"PULocationID": n, "DOLocationID": 300 - n} for n in range(100, 200)),
        *({"passenger_count": float(n)} for n in range(2, 9)),
        *({"trip_distance": n / 100} for n in range(250)),
        *({"fare_amount": n / 10} for n in range(135)),
        {},
    ]
    path = write(tmp_path, table([row(**each) for each in changes]))
    (batch,) = opened(path).batches()
    assert len(np.unique(fingerprints(batch))) == len(changes)

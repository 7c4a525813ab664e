"""Which rows are trips, judged on rows made for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from data_engineering.errors import BadInputError

from .trips_files import GOOD, judged, made_of, row, table, write

NOON = datetime(2024, 1, 15, 12, 0)
USED = [name for name in GOOD if name not in ("VendorID", "store_and_fwd_flag", "ehail_fee")]


def green(**changed: object) -> pl.DataFrame:
    """One green trip in TLC's columns."""
    return table([row(lpep_pickup_datetime=NOON, lpep_dropoff_datetime=after(10)) | changed])


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def first_reason(frame: pl.DataFrame, folder: Path) -> str | None:
    (reasons,) = judged(write(folder, frame))
    return reasons[0] if reasons else None


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, None),
        ({"lpep_pickup_datetime": datetime(2023, 12, 31, 23, 59, 59)}, "other_month"),
        ({"lpep_pickup_datetime": datetime(2024, 2, 1)}, "other_month"),
        ({"lpep_pickup_datetime": None}, "other_month"),
        ({"lpep_dropoff_datetime": NOON}, "non_positive_duration"),
        ({"lpep_dropoff_datetime": after(-1)}, "non_positive_duration"),
        ({"lpep_dropoff_datetime": None}, "non_positive_duration"),
        ({"lpep_dropoff_datetime": after(180.1)}, "too_long"),
        ({"lpep_dropoff_datetime": after(180)}, "outside_range"),
        ({"trip_distance": 0.0}, "zero_distance"),
        ({"trip_distance": -2.0}, "zero_distance"),
        ({"trip_distance": None}, "zero_distance"),
        ({"trip_distance": float("nan")}, "zero_distance"),
        ({"trip_distance": 100.01}, "too_far"),
        ({"trip_distance": float("inf")}, "too_far"),
        ({"trip_distance": 100.0}, None),
        ({"PULocationID": 264}, "unknown_zone"),
        ({"DOLocationID": 265}, "unknown_zone"),
        ({"DOLocationID": 0}, "unknown_zone"),
        ({"PULocationID": None}, "unknown_zone"),
        ({"PULocationID": 10**9}, "unknown_zone"),
        ({"DOLocationID": 74.5}, "unknown_zone"),
        ({"DOLocationID": 263}, None),
        ({"lpep_dropoff_datetime": after(0.99)}, "outside_range"),
        ({"lpep_dropoff_datetime": after(1)}, None),
        ({"lpep_dropoff_datetime": after(60)}, None),
        ({"lpep_dropoff_datetime": after(60.01)}, "outside_range"),
        ({"passenger_count": None}, None),
        ({"fare_amount": -10.0}, None),
    ],
)
def test_a_row_is_kept_or_has_the_first_reason_that_holds(tmp_path, changed, reason):
    assert first_reason(green(**changed), tmp_path) == reason


def test_a_row_has_all_reasons_that_hold_in_the_contracts_order(tmp_path):
    everything = green(
        lpep_pickup_datetime=datetime(2009, 1, 1),
        lpep_dropoff_datetime=datetime(2009, 1, 1),
        trip_distance=0.0,
        PULocationID=264,
    )
    assert judged(write(tmp_path, everything)) == [
        ["other_month", "non_positive_duration", "zero_distance", "unknown_zone"]
    ]
    too_long = green(lpep_dropoff_datetime=after(181), trip_distance=1e6)
    assert judged(write(tmp_path, too_long)) == [["too_long", "too_far", "outside_range"]]


def test_dirt_counts_overlap_and_set_aside_does_not(tmp_path):
    file = pl.concat(
        [
            green(),
            green(passenger_count=None, fare_amount=-3.0),
            green(trip_distance=0.0, DOLocationID=265, passenger_count=None),
        ]
    )
    counts = made_of(write(tmp_path, file), tmp_path / "out").tally
    assert (counts.rows_read, counts.rows_kept) == (3, 2)
    assert {name: rows for name, rows in counts.set_aside.items() if rows} == {"zero_distance": 1}
    assert counts.noted == {"null_passenger_count": 1, "non_positive_fare": 1}
    assert {name: rows for name, rows in counts.dirt.items() if rows} == {
        "zero_distance": 1,
        "unknown_zone": 1,
        "null_passenger_count": 2,
        "non_positive_fare": 1,
    }
    assert sum(counts.only.values()) == 0


@pytest.mark.parametrize("year", [11983, 262142, 1970, 290000])
def test_a_pickup_of_any_year_is_one_row_set_aside(tmp_path, year):
    days = (year - 1970) * 365
    file = pl.concat([green(), green()]).with_columns(
        pl.Series([0, days * 86_400_000_000]).cast(pl.Datetime("us")).alias("lpep_pickup_datetime")
    )
    file[0, "lpep_pickup_datetime"] = NOON
    made = made_of(write(tmp_path, file), tmp_path / "out")
    assert (made.tally.rows_kept, made.tally.set_aside["other_month"]) == (1, 1)
    (example,) = made.built.examples["other_month"]
    assert example["source_row"] == 1


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_of_any_unit_are_the_same(tmp_path, unit):
    times = pl.col("lpep_pickup_datetime", "lpep_dropoff_datetime").cast(pl.Datetime(unit))
    assert judged(write(tmp_path, green().with_columns(times))) == [[]]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (green().clear(), "has no rows"),
        (
            green(lpep_pickup_datetime=datetime(2023, 5, 2, 1, 2, 3)),
            "has 1 rows, but none of 2024-01: its pickups run from 2023-05-02 01:02:03",
        ),
        (green(trip_distance=0.0), "has 1 rows, but none is a usable trip: zero_dist"),
    ],
)
def test_a_month_without_trips_is_refused(tmp_path, file, said):
    with pytest.raises(BadInputError, match=said):
        made_of(write(tmp_path, file), tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []

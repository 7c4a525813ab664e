"""Which rows are trips: judged on rows made for it, and counted again on TLC's real files."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from data_engineering.contract import REASONS
from data_engineering.errors import BadInputError
from data_engineering.features import features
from data_engineering.validate import Tally, check_columns, judge, tally, trips

NOON = datetime(2024, 1, 15, 12, 0)
GOOD = {
    "lpep_pickup_datetime": NOON,
    "lpep_dropoff_datetime": NOON + timedelta(minutes=10),
    "PULocationID": 74,
    "DOLocationID": 75,
    "passenger_count": 1.0,
    "trip_distance": 1.5,
    "fare_amount": 10.0,
}


def green(**changed: object) -> pl.DataFrame:
    """One green trip in TLC's columns."""
    types: dict[str, Any] = {
        "lpep_pickup_datetime": pl.Datetime("us"),
        "lpep_dropoff_datetime": pl.Datetime("us"),
        "passenger_count": pl.Float64,
    }
    return pl.DataFrame([GOOD | changed], schema_overrides=types)


def reasons_of(file: pl.DataFrame, month: str = "2024-01") -> list[str | None]:
    columns = check_columns(file.schema, "green", "a file")
    return judge(trips(file.lazy(), columns), month).collect()["reason"].to_list()


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


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
def test_a_row_is_kept_or_has_the_first_reason_that_holds(changed, reason):
    assert reasons_of(green(**changed)) == [reason]


def test_the_order_of_reasons_decides_where_several_hold():
    everything = green(
        lpep_pickup_datetime=datetime(2009, 1, 1),
        lpep_dropoff_datetime=datetime(2009, 1, 1),
        trip_distance=0.0,
        PULocationID=264,
    )
    assert reasons_of(everything) == ["other_month"]
    assert reasons_of(green(lpep_dropoff_datetime=NOON, trip_distance=0.0, DOLocationID=265)) == [
        "non_positive_duration"
    ]
    assert reasons_of(green(trip_distance=1e6, DOLocationID=265)) == ["too_far"]


def test_dirt_counts_overlap_and_set_aside_does_not():
    file = pl.concat(
        [
            green(),
            green(passenger_count=None, fare_amount=-3.0),
            green(trip_distance=0.0, DOLocationID=265, passenger_count=None),
        ]
    )
    columns = check_columns(file.schema, "green", "a file")
    counts = tally(judge(trips(file.lazy(), columns), "2024-01"), "2024-01", "a file")
    assert (counts.rows_read, counts.rows_kept) == (3, 2)
    assert {name: rows for name, rows in counts.set_aside.items() if rows} == {"zero_distance": 1}
    assert counts.noted == {"null_passenger_count": 1, "non_positive_fare": 1}
    assert {name: rows for name, rows in counts.dirt.items() if rows} == {
        "zero_distance": 1,
        "unknown_zone": 1,
        "null_passenger_count": 2,
        "non_positive_fare": 1,
    }


@pytest.mark.parametrize("name", list(GOOD))
def test_a_missing_column_is_named(name):
    with pytest.raises(BadInputError, match=rf"^somewhere has no column {name}:"):
        check_columns(green().drop(name).schema, "green", "somewhere")


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("trip_distance", pl.String),
        ("PULocationID", pl.String),
        ("passenger_count", pl.String),
        ("passenger_count", pl.Boolean),
        ("lpep_pickup_datetime", pl.String),
        ("lpep_dropoff_datetime", pl.Int64),
        ("lpep_dropoff_datetime", pl.Date),
        ("lpep_dropoff_datetime", pl.Datetime("us", "UTC")),
        ("tip_amount", pl.String),
    ],
)
def test_a_column_of_another_kind_is_named_with_its_type(name, dtype):
    schema = pl.Schema({**green().schema, name: dtype})
    with pytest.raises(BadInputError, match=rf"^column {name} of somewhere has the type") as raised:
        check_columns(schema, "green", "somewhere")
    assert str(schema[name]) in str(raised.value)


@pytest.mark.parametrize("number", [pl.Int32, pl.Int64, pl.Float32, pl.Float64])
def test_codes_of_any_number_type_give_the_same_rows(number):
    file = green().cast({"PULocationID": number, "DOLocationID": number, "passenger_count": number})
    columns = check_columns(file.schema, "green", "a file")
    row = features(judge(trips(file.lazy(), columns), "2024-01")).collect().row(0, named=True)
    assert (row["pickup_zone"], row["dropoff_zone"], row["passenger_count"]) == (74, 75, 1)


def test_names_are_found_in_any_case_but_not_twice():
    shouting = green().rename(str.upper)
    assert check_columns(shouting.schema, "green", "a file")["PULOCATIONID"] == "pickup_zone"
    twice = green().with_columns(Trip_Distance=pl.col("trip_distance"))
    with pytest.raises(BadInputError, match="both a column trip_distance and a column Trip_Dist"):
        check_columns(twice.schema, "green", "a file")


def test_a_yellow_file_is_no_green_one():
    yellow = green().rename(
        {name: name.replace("lpep", "tpep") for name in GOOD if name.startswith("lpep")}
    )
    assert check_columns(yellow.schema, "yellow", "a file")
    with pytest.raises(BadInputError, match="no column lpep_pickup_datetime, lpep_dropoff_datetim"):
        check_columns(yellow.schema, "green", "a file")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (green().clear(), "somewhere has no rows"),
        (
            green(lpep_pickup_datetime=datetime(2023, 5, 2, 1, 2, 3)),
            "somewhere has 1 rows, but none of 2024-01: its pickups run from 2023-05-02 01:02:03",
        ),
        (green(trip_distance=0.0), "somewhere has 1 rows, but none is a usable trip: zero_dist"),
    ],
)
def test_a_month_without_trips_is_refused(file, said):
    columns = check_columns(file.schema, "green", "somewhere")
    with pytest.raises(BadInputError, match=said):
        tally(judge(trips(file.lazy(), columns), "2024-01"), "2024-01", "somewhere")


REAL = [
    ("green", "2023-12", "green_tripdata_2023-12.parquet"),
    ("green", "2024-01", "green_tripdata_2024-01.parquet"),
    ("green", "2024-01", "green_tripdata_2024-01.int64codes.parquet"),
    ("yellow", "2025-02", "yellow_tripdata_sample_2025-02.parquet"),
]


def counted_in_plain_python(path: Path, cab: str, month: str) -> Tally:
    """Count row by row without Polars, from the contract's words."""
    prefix = "lpep" if cab == "green" else "tpep"
    aside: Counter[str] = Counter()
    dirt: Counter[str] = Counter()
    noted: Counter[str] = Counter()
    rows = pq.read_table(path).to_pylist()
    for row in rows:
        begin, end = row[f"{prefix}_pickup_datetime"], row[f"{prefix}_dropoff_datetime"]
        minutes = (end - begin).total_seconds() / 60
        zones = row["PULocationID"], row["DOLocationID"]
        holds = {
            "other_month": f"{begin:%Y-%m}" != month,
            "non_positive_duration": minutes <= 0,
            "too_long": minutes > 180,
            "zero_distance": row["trip_distance"] <= 0,
            "too_far": row["trip_distance"] > 100,
            "unknown_zone": any(zone in (None, 264, 265) for zone in zones),
            "outside_range": 0 < minutes < 1 or 60 < minutes <= 180,
        }
        notes = {
            "null_passenger_count": row["passenger_count"] is None,
            "non_positive_fare": row["fare_amount"] <= 0,
        }
        dirt.update(name for name, true in (holds | notes).items() if true)
        reason = next((name for name, true in holds.items() if true), None)
        aside[reason or "kept"] += 1
        if reason is None:
            noted.update(name for name, true in notes.items() if true)
    return Tally(
        rows_read=len(rows),
        rows_kept=aside["kept"],
        set_aside={name: aside[name] for name in REASONS},
        noted={name: noted[name] for name in ("null_passenger_count", "non_positive_fare")},
        dirt={name: dirt[name] for name in (*REASONS, "null_passenger_count", "non_positive_fare")},
    )


@pytest.mark.parametrize(("cab", "month", "name"), REAL)
def test_real_files_are_counted_as_plain_python_counts_them(tlc_file, cab, month, name):
    path = tlc_file(name)
    file = pl.scan_parquet(path)
    judged = judge(trips(file, check_columns(file.collect_schema(), cab, name)), month)
    counts = tally(judged, month, name)
    assert counts == counted_in_plain_python(path, cab, month)
    assert counts.rows_read == counts.rows_kept + sum(counts.set_aside.values())
    assert features(judged).collect().height == counts.rows_kept


def test_the_real_months_are_the_ones_we_know(tlc_file):
    file = pl.scan_parquet(tlc_file("green_tripdata_2024-01.parquet"))
    judged = judge(trips(file, check_columns(file.collect_schema(), "green", "it")), "2024-01")
    counts = tally(judged, "2024-01", "it")
    assert (counts.rows_read, counts.rows_kept) == (56_551, 52_256)
    assert counts.set_aside == {
        "other_month": 2,
        "non_positive_duration": 76,
        "too_long": 225,
        "zero_distance": 2_804,
        "too_far": 44,
        "unknown_zone": 365,
        "outside_range": 779,
    }

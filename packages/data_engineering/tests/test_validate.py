"""Which rows are trips: judged on rows made for it, and counted again on TLC's real files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from data_engineering.contract.reasons import NOTED, REASONS
from data_engineering.errors import BadInputError
from data_engineering.trips.columns import find_columns
from data_engineering.trips.tally import Tally

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


@pytest.mark.parametrize("name", USED)
def test_a_missing_column_is_named(name):
    with pytest.raises(BadInputError, match=rf"^somewhere has no column {name}:"):
        find_columns(green().drop(name).schema, "green", "somewhere")


def test_columns_that_are_not_used_may_be_missing(tmp_path):
    assert judged(write(tmp_path, green().select(USED))) == [[]]


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
    ],
)
def test_a_column_of_another_kind_is_named_with_its_type(name, dtype):
    schema = pl.Schema({**green().schema, name: dtype})
    with pytest.raises(BadInputError, match=rf"^column {name} of somewhere has the type") as raised:
        find_columns(schema, "green", "somewhere")
    assert str(schema[name]) in str(raised.value)


def test_what_is_unusual_but_not_used_is_reported():
    schema = green().rename({"PULocationID": "pickup_location_id"}).schema
    found = find_columns(
        pl.Schema({**schema, "tip_amount": pl.String(), "mood": pl.Int8()}), "green", "somewhere"
    )
    assert found.unknown == ["mood"]
    assert found.renamed == {"PULocationID": "pickup_location_id"}
    assert found.retyped["tip_amount"] == "String"
    assert found.used["pickup_zone"] == "pickup_location_id"
    assert len(found.lines()) == 3


@pytest.mark.parametrize("number", [pl.Int32, pl.Int64, pl.Float32, pl.Float64, pl.Decimal(9, 2)])
def test_codes_of_any_number_type_give_the_same_rows(tmp_path, number):
    file = green().cast({"PULocationID": number, "DOLocationID": number, "passenger_count": number})
    made = made_of(write(tmp_path, file), tmp_path / "out").features.row(0, named=True)
    assert (made["pickup_zone"], made["dropoff_zone"], made["passenger_count"]) == (74, 75, 1)


def test_names_are_found_in_any_case_but_not_twice():
    shouting = green().rename(str.upper)
    found = find_columns(shouting.schema, "green", "a file")
    assert (found.used["pickup_zone"], found.renamed) == ("PULOCATIONID", {})
    twice = green().with_columns(Trip_Distance=pl.col("trip_distance"))
    with pytest.raises(BadInputError, match="both a column trip_distance and a column Trip_Dist"):
        find_columns(twice.schema, "green", "a file")
    older = green().with_columns(Fare_Amt=pl.col("fare_amount"))
    with pytest.raises(BadInputError, match="both a column fare_amount and a column Fare_Amt"):
        find_columns(older.schema, "green", "a file")


def test_a_yellow_file_is_no_green_one():
    yellow = green().rename(
        {name: name.replace("lpep", "tpep") for name in GOOD if name.startswith("lpep")}
    )
    assert find_columns(yellow.schema, "yellow", "a file")
    with pytest.raises(BadInputError, match="no column lpep_pickup_datetime, lpep_dropoff_datetim"):
        find_columns(yellow.schema, "green", "a file")


@pytest.mark.parametrize(
    "names",
    [
        ["Trip_Pickup_DateTime", "Trip_Dropoff_DateTime", "Start_Lon", "Start_Lat", "Fare_Amt"],
        ["pickup_datetime", "dropoff_datetime", "pickup_longitude", "fare_amount"],
    ],
)
def test_files_with_coordinates_are_refused_in_words_that_are_true_of_them(names):
    schema = pl.Schema(dict.fromkeys(names, pl.Float64))
    with pytest.raises(
        BadInputError, match=r"coordinates \(.*\) and no zones, like TLC's files of 2"
    ):
        find_columns(schema, "yellow", "old.parquet")


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

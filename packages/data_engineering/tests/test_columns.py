"""Which columns of a file are taken: names and types of every release."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest
from data_engineering.errors import BadInputError
from data_engineering.trips.columns import find_columns

from .trips_files import GOOD, judged, made_of, row, table, write

NOON = datetime(2024, 1, 15, 12, 0)
USED = [name for name in GOOD if name not in ("VendorID", "store_and_fwd_flag", "ehail_fee")]


def green(**changed: object) -> pl.DataFrame:
    """One green trip in TLC's columns."""
    return table([row(lpep_pickup_datetime=NOON, lpep_dropoff_datetime=after(10)) | changed])


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


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

"""What the data team promises: what a trip is, and what a published feature dataset holds.

Imports nothing heavy: Airflow reads it each time it parses the DAG file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from data_engineering.errors import BadInputError

VERSION = 1
"""The contract's number in `current.json`: it changes when a reader would have to."""

DEFAULT_ROOT = "s3://trip-data"
"""Where datasets are kept, unless $TRIP_DATA_ROOT names another place."""

CABS = ("green", "yellow")
MONTH = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"


class Kind(StrEnum):
    """What a column of a trip file holds; TLC changes the exact type from month to month."""

    TIME = "a timestamp without time zone"
    NUMBER = "a number"
    TEXT = "text"


@dataclass(frozen=True)
class TripSchema:
    """The columns of one cab's trip files.

    `required` maps a file's column to the name it gets in the features; `kinds` says what every
    column known to us holds, required or not. TLC has changed the case of names before
    (`Airport_fee`, `airport_fee`), so names are compared without it.
    """

    required: Mapping[str, str]
    kinds: Mapping[str, Kind]


_NUMBERS = (
    "VendorID", "RatecodeID", "PULocationID", "DOLocationID", "passenger_count", "trip_distance",
    "fare_amount", "extra", "mta_tax", "tip_amount", "tolls_amount", "improvement_surcharge",
    "total_amount", "payment_type", "congestion_surcharge", "cbd_congestion_fee",
)  # fmt: skip


def _schema(prefix: str, own_numbers: Sequence[str]) -> TripSchema:
    pickup, dropoff = f"{prefix}_pickup_datetime", f"{prefix}_dropoff_datetime"
    return TripSchema(
        required={
            pickup: "pickup_at",
            dropoff: "dropoff_at",
            "PULocationID": "pickup_zone",
            "DOLocationID": "dropoff_zone",
            "passenger_count": "passenger_count",
            "trip_distance": "trip_distance_miles",
            "fare_amount": "fare_dollars",
        },
        kinds={pickup: Kind.TIME, dropoff: Kind.TIME, "store_and_fwd_flag": Kind.TEXT}
        | dict.fromkeys((*_NUMBERS, *own_numbers), Kind.NUMBER),
    )


TRIPS: Mapping[str, TripSchema] = {
    "green": _schema("lpep", ("ehail_fee", "trip_type")),
    "yellow": _schema("tpep", ("Airport_fee",)),
}

SHORTEST_MINUTES, LONGEST_MINUTES = 1, 60
TOO_LONG_MINUTES = 180
TOO_FAR_MILES = 100
LAST_KNOWN_ZONE = 263

REASONS: Mapping[str, str] = {
    "other_month": "picked up in another month, or no pickup time",
    "non_positive_duration": "dropped off when picked up or before, or no dropoff time",
    "too_long": f"longer than {TOO_LONG_MINUTES // 60} hours",
    "zero_distance": "a metered distance of 0 or less, or none",
    "too_far": f"farther than {TOO_FAR_MILES} miles",
    "unknown_zone": "from or to no known zone (264, 265 or none)",
    "outside_range": f"shorter than {SHORTEST_MINUTES} or longer than {LONGEST_MINUTES} minutes",
}
"""Why a row is set aside; a row has the first reason that holds, in this order."""

NOTED: Mapping[str, str] = {
    "null_passenger_count": "no passenger count",
    "non_positive_fare": "a fare of 0 or less (refunds)",
}
"""What readers may want to know about rows that are kept."""

FEATURES: Mapping[str, tuple[str, str]] = {
    "pickup_at": ("Datetime('us')", "when the trip began, New York's local time"),
    "pickup_zone": ("Int16", "TLC zone, 1 to 263"),
    "dropoff_zone": ("Int16", "TLC zone, 1 to 263"),
    "hour": ("Int8", "0 to 23, of pickup_at"),
    "weekday": ("Int8", "0 (Monday) to 6 (Sunday), of pickup_at"),
    "day_of_month": ("Int8", "1 to 31, of pickup_at"),
    "minute_of_day": ("Int16", "0 to 1439, of pickup_at"),
    "zone_pair": ("Int32", "pickup_zone * 1000 + dropoff_zone"),
    "passenger_count": ("Int8", "as the driver entered it; may be null"),
    "trip_distance_miles": ("Float32", "metered: known only AFTER the trip, no model input"),
    "duration_minutes": ("Float32", "the target, 1 to 60"),
    "fare_dollars": ("Float32", "known only AFTER the trip, no model input"),
    "pickup_borough": ("String", "borough of pickup_zone"),
    "dropoff_borough": ("String", "borough of dropoff_zone"),
}
"""Columns of features.parquet: Polars type, meaning. One row a trip, in no order."""


def check_cab(cab: str) -> str:
    """Return `cab`; BadInputError unless it is one of CABS."""
    if cab not in CABS:
        raise BadInputError(f"cab is {cab!r}: it must be {' or '.join(CABS)}")
    return cab


def check_month(month: str) -> str:
    """Return `month`; BadInputError unless it reads YYYY-MM."""
    if not isinstance(month, str) or not re.match(MONTH, month):
        raise BadInputError(f"month is {month!r}: it must read YYYY-MM, like 2024-01")
    return month


def month_before(month: str) -> str:
    """Return the month before: 2024-01 gives 2023-12."""
    year, number = (int(part) for part in check_month(month).split("-"))
    return f"{year - 1}-12" if number == 1 else f"{year}-{number - 1:02}"


def month_after(month: str) -> str:
    """Return the month after: 2023-12 gives 2024-01."""
    year, number = (int(part) for part in check_month(month).split("-"))
    return f"{year + 1}-01" if number == 12 else f"{year}-{number + 1:02}"


def train_months(month: str, asked: Sequence[str] | None) -> list[str]:
    """Return the months to train on, sorted and once each: those asked, or the one before."""
    return sorted({check_month(each) for each in asked}) if asked else [month_before(month)]


def file_name(cab: str, month: str) -> str:
    """Return what TLC calls that month's file."""
    return f"{check_cab(cab)}_tripdata_{check_month(month)}.parquet"

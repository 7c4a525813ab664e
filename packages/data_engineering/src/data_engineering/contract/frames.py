"""The dataset that is published: its columns' names, types and meaning, as dataframely schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dataframely as dy
import polars as pl

from data_engineering.contract.reasons import LAST_KNOWN_ZONE

VERSION = 2
"""The contract's number in `current.json`: it changes when a reader would have to."""


def _before(meaning: str) -> dict[str, str]:
    return {"meaning": meaning, "known": "before"}


def _after(meaning: str) -> dict[str, str]:
    return {"meaning": meaning, "known": "after"}


class Features(dy.Schema):
    """One row a trip, in no order. `known` says whether a value is known before the trip begins."""

    pickup_at = dy.Datetime(metadata=_before("when the trip began, New York's local time"))
    pickup_zone = dy.Int16(min=1, max=LAST_KNOWN_ZONE, metadata=_before("TLC zone, 1 to 263"))
    dropoff_zone = dy.Int16(min=1, max=LAST_KNOWN_ZONE, metadata=_before("TLC zone, 1 to 263"))
    hour = dy.Int8(min=0, max=23, metadata=_before("0 to 23, of pickup_at"))
    weekday = dy.Int8(min=0, max=6, metadata=_before("0 (Monday) to 6 (Sunday), of pickup_at"))
    day_of_month = dy.Int8(min=1, max=31, metadata=_before("1 to 31, of pickup_at"))
    month_of_year = dy.Int8(min=1, max=12, metadata=_before("1 to 12, of pickup_at"))
    minute_of_day = dy.Int16(min=0, max=1439, metadata=_before("0 to 1439, of pickup_at"))
    holiday = dy.Bool(metadata=_before("a federal holiday"))
    rush_hour = dy.Bool(
        metadata=_before("7 to 10 or 16 to 19 o'clock, Monday to Friday, no holiday")
    )
    zone_pair = dy.Int32(metadata=_before("pickup_zone * 1000 + dropoff_zone"))
    airport_pickup = dy.Bool(metadata=_before("pickup_zone is EWR, JFK or LaGuardia"))
    airport_dropoff = dy.Bool(metadata=_before("dropoff_zone is EWR, JFK or LaGuardia"))
    pair_trips = dy.Int32(
        nullable=True, min=0, metadata=_before("trips of the zone pair in the months of `history`")
    )
    pair_median_minutes = dy.Float32(
        nullable=True,
        metadata=_before("their median duration; drawn to the boroughs' where trips are few"),
    )
    pair_median_miles = dy.Float32(
        nullable=True,
        metadata=_before("their median distance; drawn to the boroughs' where trips are few"),
    )
    passenger_count = dy.Int8(
        nullable=True, metadata=_before("as the driver entered it; may be null")
    )
    trip_distance_miles = dy.Float32(
        min_exclusive=0, max=100, metadata=_after("metered: no model input")
    )
    duration_minutes = dy.Float32(min=1, max=60, metadata=_after("the target, 1 to 60"))
    fare_dollars = dy.Float32(nullable=True, metadata=_after("metered: no model input"))
    pickup_borough = dy.String(metadata=_before("borough of pickup_zone"))
    dropoff_borough = dy.String(metadata=_before("borough of dropoff_zone"))


FEATURES: Mapping[str, pl.DataType] = {
    name: column.dtype for name, column in Features.columns().items()
}
"""Column and Polars type of features.parquet, in order."""

NEVER_NULL = frozenset(name for name, column in Features.columns().items() if not column.nullable)
"""Columns of features.parquet that have a value in every row."""

QUARANTINE: Mapping[str, pl.DataType] = {
    **FEATURES,
    "source_row": pl.Int64(),
    "reasons": pl.List(pl.String()),
}
"""Columns of quarantine.parquet: features as far as they can be computed, the row's number in the
source file (the first is 0), and why it is set aside, in the contract's order."""


def column_types() -> dict[str, str]:
    """Return {column: Polars type} of features.parquet, as the manifest shows it."""
    return {name: str(dtype) for name, dtype in pl.Schema(FEATURES).items()}


def described() -> dict[str, Any]:
    """Return the schema as schema.json holds it: each column's type, meaning, and when known."""
    types = column_types()
    columns = {
        name: {"type": types[name], **(column.metadata or {}), "nullable": column.nullable}
        for name, column in Features.columns().items()
    }
    return {
        "version": VERSION,
        "columns": columns,
        "quarantine": {
            "source_row": {"type": "Int64", "meaning": "row number in the source file, from 0"},
            "reasons": {"type": "List(String)", "meaning": "why the row is set aside"},
        },
    }

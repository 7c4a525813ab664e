"""From judged trips to the features that are published. Pure: LazyFrame in, LazyFrame out."""

from __future__ import annotations

import polars as pl

from data_engineering.contract import FEATURES
from data_engineering.zones import BOROUGH_OF, UNKNOWN


def features(judged: pl.LazyFrame) -> pl.LazyFrame:
    """Return the rows that are kept, with the columns of `contract.FEATURES` in that order.

    `judged` is what `validate.judge` returned. All columns but trip_distance_miles,
    duration_minutes and fare_dollars are known before the trip begins.
    """
    pickup = pl.col("pickup_at")
    kept = judged.filter(pl.col("reason").is_null())
    return kept.with_columns(
        pickup.dt.hour().alias("hour"),
        (pickup.dt.weekday() - 1).alias("weekday"),
        pickup.dt.day().alias("day_of_month"),
        # 60 * 23 does not fit the Int8 that hour() returns.
        (pickup.dt.hour().cast(pl.Int16) * 60 + pickup.dt.minute()).alias("minute_of_day"),
        (pl.col("pickup_zone").cast(pl.Int32) * 1000 + pl.col("dropoff_zone")).alias("zone_pair"),
        _borough("pickup"),
        _borough("dropoff"),
    ).select(pl.col(name).cast(dtype) for name, dtype in schema().items())


def schema() -> pl.Schema:
    """Return the Polars schema of features.parquet, as the contract names it."""
    return pl.Schema({name: _dtype(dtype) for name, (dtype, _) in FEATURES.items()})


def column_types() -> dict[str, str]:
    """Return {column: Polars type} as current.json shows it."""
    return {name: str(dtype) for name, dtype in schema().items()}


def _borough(end: str) -> pl.Expr:
    zone = pl.col(f"{end}_zone").cast(pl.Int32)
    return zone.replace_strict(BOROUGH_OF, default=UNKNOWN, return_dtype=pl.String).alias(
        f"{end}_borough"
    )


def _dtype(name: str) -> pl.DataType:
    return pl.Datetime("us") if name.startswith("Datetime") else getattr(pl, name)()

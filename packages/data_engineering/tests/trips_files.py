"""Small trip files as TLC would write them, each row with what a test says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

MONTH = "2024-01"
GOOD: dict[str, Any] = {
    "VendorID": 2,
    "lpep_pickup_datetime": datetime(2024, 1, 15, 8, 30),
    "lpep_dropoff_datetime": datetime(2024, 1, 15, 8, 42),
    "store_and_fwd_flag": "N",
    "PULocationID": 74,
    "DOLocationID": 75,
    "passenger_count": 1.0,
    "trip_distance": 2.5,
    "fare_amount": 13.5,
    "ehail_fee": None,
}


def row(**changed: Any) -> dict[str, Any]:
    """Return a good green trip with some values changed."""
    unknown = changed.keys() - GOOD.keys()
    if unknown:
        raise KeyError(f"no such column: {unknown}")
    return {**GOOD, **changed}


def table(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return the rows in TLC's types."""
    times = dict.fromkeys(("lpep_pickup_datetime", "lpep_dropoff_datetime"), pl.Datetime("us"))
    kinds: dict[str, Any] = {
        **times,
        "PULocationID": pl.Int32,
        "DOLocationID": pl.Int32,
        "passenger_count": pl.Float64,
        "trip_distance": pl.Float64,
        "fare_amount": pl.Float64,
    }
    return pl.DataFrame(list(rows), schema_overrides=kinds)


def write(folder: Path, frame: pl.DataFrame, name: str = "green_tripdata_2024-01.parquet") -> Path:
    """Write the table as a file and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / name)
    return folder / name

"""Small trip files as TLC would write them, each row with what a test says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

import polars as pl
from data_engineering.publish.build import Built, build
from data_engineering.storage.objects import Storage
from data_engineering.trips.history import PairHistory
from data_engineering.trips.judge import judge, reasons_of
from data_engineering.trips.read import TripFile, open_trips
from data_engineering.trips.tally import Tally

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


def whole_month(*others: Mapping[str, Any], a_day: int = 2) -> list[dict[str, Any]]:
    """Return good trips on every day of the month, no two alike, and some other rows."""
    start = datetime(2024, 1, 1, 8)
    times = [start + timedelta(days=d, minutes=7 * n) for d in range(31) for n in range(a_day)]
    trips = [
        row(lpep_pickup_datetime=at, lpep_dropoff_datetime=at + timedelta(minutes=12))
        for at in times
    ]
    return [*trips, *map(dict, others)]


def table(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return the rows in TLC's types."""
    times = dict.fromkeys(("lpep_pickup_datetime", "lpep_dropoff_datetime"), pl.Datetime("us"))
    kinds: dict[str, Any] = {
        **times,
        **{name: _codes(rows, name) for name in ("PULocationID", "DOLocationID")},
        "passenger_count": pl.Float64,
        "trip_distance": pl.Float64,
        "fare_amount": pl.Float64,
    }
    return pl.DataFrame(list(rows), schema_overrides=kinds)


def _codes(rows: Sequence[Mapping[str, Any]], name: str) -> type[pl.DataType]:
    return pl.Float64 if any(isinstance(each[name], float) for each in rows) else pl.Int32


def write(folder: Path, frame: pl.DataFrame, name: str = "green_tripdata_2024-01.parquet") -> Path:
    """Write the table as a file and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / name)
    return folder / name


def csv_bytes(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the rows as a CSV file holds them."""
    return table(rows).write_csv(datetime_format="%Y-%m-%d %H:%M:%S").encode()


def opened(path: Path, cab: str = "green") -> TripFile:
    """Return the file as the publisher gets it."""
    return open_trips(lambda: cast(BinaryIO, path.open("rb")), cab, str(path))


@dataclass(frozen=True)
class Made:
    """What was made of a file."""

    built: Built
    features: pl.DataFrame
    quarantine: pl.DataFrame

    @property
    def tally(self) -> Tally:
        return self.built.tally


def made_of(
    path: Path,
    folder: Path,
    cab: str = "green",
    month: str = MONTH,
    history: PairHistory | None = None,
) -> Made:
    """Build a file's features and quarantine into a folder, and read them."""
    storage = Storage(str(folder))
    built = build(opened(path, cab), month, history or PairHistory(), storage, "built")
    files = [pl.read_parquet(built.files[name].uri) for name in ("features", "quarantine")]
    return Made(built, *files)


def judged(path: Path, cab: str = "green", month: str = MONTH) -> list[list[str]]:
    """Return the reasons of each row that can be told from the row alone."""
    frames = list(opened(path, cab).batches(lambda trips: judge(trips, month)))
    return [reasons_of(marks) for frame in frames for marks in frame["marks"]]

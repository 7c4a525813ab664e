"""Every bad file, from the command line to a real S3 server: what is said, what readers see."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from .commands import Listed, run
from .trips_files import csv_bytes, row, table, whole_month, write


def corrupted(path: Path, first: int, length: int) -> Path:
    content = bytearray(path.read_bytes())
    content[first : first + length] = bytes(length)
    path.write_bytes(content)
    return path


def test_good_input_for_comparison(
    root: str, tmp_path: Path, listed: Listed, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, table(whole_month(row(trip_distance=0.0))))
    assert run(root, str(path)) == 0
    said = capsys.readouterr().out
    assert "zero_distance                      1" in said
    assert f"path: {path}" in said
    assert [key.rpartition("/")[2] for key in listed()] == [
        "dataset.json",
        "features.parquet",
        "pairs.parquet",
        "quarantine.parquet",
        "schema.json",
        "current.json",
    ]


FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a missing file": (lambda to: to / "jan.parquet", "there is no file {path}"),
    "no bytes": (lambda to: _raw(to, b""), "{path} is empty"),
    "a web page": (
        lambda to: _raw(to, b"<html>secret" * 99),
        "{path} is neither a Parquet file nor a CSV file with TLC's columns",
    ),
    "a CSV file without a column": (
        lambda to: _raw(to, b"VendorID,lpep_pickup_datetime\n1,2024-01-01\n"),
        "{path} has no column lpep_dropoff_datetime, PULocationID",
    ),
    "a CSV file with a cut row": (
        lambda to: _raw(to, csv_bytes(whole_month()) + b"1,secret"),
        "{path} cannot be read as CSV: it is damaged or cut off",
    ),
    "a cut gzip file": (
        lambda to: _raw(to, gzip.compress(csv_bytes(whole_month()))[:-20]),
        "{path} cannot be read as CSV: it is damaged or cut off",
    ),
    "a gzip file of something else": (
        lambda to: _raw(to, gzip.compress(b"secret")),
        "{path} is neither a Parquet file nor a CSV file with TLC's columns",
    ),
    "another month in most rows": (
        lambda to: write(
            to, table([*whole_month(), *[row(lpep_pickup_datetime=datetime(2023, 12, 1))] * 9])
        ),
        "12.7% of its rows are of other months than 2024-01 (2.0% at most)",
    ),
    "half a month": (
        lambda to: write(to, table(whole_month()[:30])),
        "16 days have no trip: 16-31 (1 at most)",
    ),
    "mostly rows that are no trips": (
        lambda to: write(
            to, table(whole_month(*(row(trip_distance=0.0, fare_amount=n) for n in range(40))))
        ),
        "39.2% of its rows are set aside (25.0% at most)",
    ),
    "a cut file": (
        lambda to: _raw(to, write(to, table([row()] * 9)).read_bytes()[:-20]),
        "{path} cannot be read as Parquet",
    ),
    "broken pages": (
        lambda to: corrupted(write(to, table([row()] * 5000)), 4, 400),
        "{path} cannot be read as Parquet",
    ),
    "no rows": (lambda to: write(to, table([row()]).clear()), "{path} has no rows"),
    "another month": (
        lambda to: write(to, table([row(lpep_pickup_datetime=datetime(2023, 5, 1))])),
        "{path} has 1 rows, but none of 2024-01: its pickups run from 2023-05-01",
    ),
    "no usable trip": (
        lambda to: write(to, table([row(trip_distance=0.0)])),
        "{path} has 1 rows, but none is a usable trip: zero_distance 1",
    ),
    "a missing column": (
        lambda to: write(to, table([row()]).drop("trip_distance")),
        "{path} has no column trip_distance",
    ),
    "text for a number": (
        lambda to: write(to, table([row()]).with_columns(trip_distance=pl.lit("2 miles"))),
        "column trip_distance of {path} has the type String: it must be a number",
    ),
    "text for a time": (
        lambda to: write(
            to, table([row()]).with_columns(pl.col("lpep_pickup_datetime").cast(pl.String))
        ),
        "column lpep_pickup_datetime of {path} has the type String: it must be a timestamp",
    ),
}


def _raw(folder: Path, content: bytes) -> Path:
    path = folder / "jan.parquet"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("what", list(FILES))
def test_a_bad_file_is_named_and_nothing_is_published(
    what: str,
    root: str,
    tmp_path: Path,
    listed: Listed,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make, said = FILES[what]
    path = make(tmp_path)
    assert run(root, str(path)) == 1
    (error,) = (line for line in capsys.readouterr().err.splitlines() if "error: " in line)
    assert said.format(path=path) in error
    assert "secret" not in error
    assert [key for key in listed() if key.endswith("current.json")] == []
    if "held back" not in error:
        assert listed() == []


def test_readers_keep_the_version_before_when_the_next_month_file_is_bad(
    root: str, tmp_path: Path, listed: Listed
) -> None:
    path = write(tmp_path, table(whole_month()))
    assert run(root, str(path)) == 0
    before = listed()
    write(tmp_path, table([row()]).drop("fare_amount"))
    assert run(root, str(path)) == 1
    assert listed() == before

"""Which rows of a trip file are trips. Pure: Polars schemas and LazyFrames in and out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl

from data_engineering import contract
from data_engineering.contract import NOTED, REASONS, TRIPS, Kind
from data_engineering.errors import BadInputError


@dataclass(frozen=True)
class Tally:
    """What a month's file holds, in rows.

    `set_aside` has each row that is not kept once, under its first reason. `noted` counts among
    the rows kept. `dirt` counts each reason and each thing noted over all rows, so its figures
    overlap.
    """

    rows_read: int
    rows_kept: int
    set_aside: dict[str, int]
    noted: dict[str, int]
    dirt: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


def check_columns(schema: pl.Schema, cab: str, where: str) -> dict[str, str]:
    """Return {the file's column: feature name} of the columns we need.

    Raises:
        BadInputError: a required column is missing, or a known one holds something else than
            TLC's; with the column's name and `where`, which names the file.
    """
    trips = TRIPS[contract.check_cab(cab)]
    found: dict[str, str] = {}
    for name in schema:
        other = found.setdefault(name.casefold(), name)
        if other != name:
            raise BadInputError(f"{where} has both a column {other} and a column {name}")
    missing = [name for name in trips.required if name.casefold() not in found]
    if missing:
        raise BadInputError(
            f"{where} has no column {', '.join(missing)}: a {cab} trip file of TLC has one. "
            f"Its columns are {', '.join(schema) or 'none'}"
        )
    for known, kind in trips.kinds.items():
        column = found.get(known.casefold())
        if column is not None and not _holds(schema[column], kind):
            raise BadInputError(
                f"column {column} of {where} has the type {schema[column]}: it must be {kind}"
            )
    return {found[name.casefold()]: feature for name, feature in trips.required.items()}


def trips(file: pl.LazyFrame, columns: dict[str, str]) -> pl.LazyFrame:
    """Return the columns that features need, under their names and in one set of types.

    `columns` is what `check_columns` returned. Codes come as Int64 in one month and as Float64 in
    the next; a value that does not fit becomes null, and so does a fraction or NaN.
    """
    renamed = file.select(pl.col(name).alias(feature) for name, feature in columns.items())
    return renamed.with_columns(
        pl.col("pickup_at", "dropoff_at").cast(pl.Datetime("us")),
        _whole("pickup_zone", pl.Int16),
        _whole("dropoff_zone", pl.Int16),
        _whole("passenger_count", pl.Int8),
        pl.col("trip_distance_miles", "fare_dollars").cast(pl.Float64).fill_nan(None),
    ).with_columns(
        ((pl.col("dropoff_at") - pl.col("pickup_at")).dt.total_microseconds() / 60_000_000).alias(
            "duration_minutes"
        )
    )


def judge(rows: pl.LazyFrame, month: str) -> pl.LazyFrame:
    """Add `reason`: why a row of `trips` is set aside, null where it is kept."""
    decided = pl.lit(None, dtype=pl.String)
    for reason, holds in reversed(_holding(month).items()):
        decided = pl.when(holds).then(pl.lit(reason)).otherwise(decided)
    return rows.with_columns(decided.cast(pl.Enum(list(REASONS))).alias("reason"))


def tally(judged: pl.LazyFrame, month: str, where: str) -> Tally:
    """Count a judged file in one streaming pass.

    Raises:
        BadInputError: the file is empty, has no row of `month`, or none that is kept.
    """
    kept = pl.col("reason").is_null()
    noted = {
        "null_passenger_count": pl.col("passenger_count").is_null(),
        "non_positive_fare": pl.col("fare_dollars") <= 0,
    }
    dirt = _holding(month) | noted
    counted = judged.select(
        pl.len().alias("rows"),
        kept.sum().alias("kept"),
        pl.col("pickup_at").min().alias("first"),
        pl.col("pickup_at").max().alias("last"),
        *((pl.col("reason") == reason).sum().alias(f"reason {reason}") for reason in REASONS),
        *(holds.sum().alias(f"dirt {reason}") for reason, holds in dirt.items()),
        *((noted[name] & kept).sum().alias(f"noted {name}") for name in NOTED),
    ).collect(engine="streaming")
    row = counted.row(0, named=True)
    result = Tally(
        rows_read=row["rows"],
        rows_kept=row["kept"],
        set_aside={reason: row[f"reason {reason}"] for reason in REASONS},
        noted={name: row[f"noted {name}"] for name in NOTED},
        dirt={name: row[f"dirt {name}"] for name in dirt},
    )
    _refuse_empty(result, month, where, row["first"], row["last"])
    return result


def _holding(month: str) -> dict[str, pl.Expr]:
    """Return for each reason the expression that is true where it holds; never null."""
    first = datetime.fromisoformat(f"{contract.check_month(month)}-01")
    end = datetime.fromisoformat(f"{contract.month_after(month)}-01")
    pickup, minutes = pl.col("pickup_at"), pl.col("duration_minutes")
    miles = pl.col("trip_distance_miles")
    known = pl.all_horizontal(
        pl.col("pickup_zone", "dropoff_zone").is_between(1, contract.LAST_KNOWN_ZONE)
    )
    return {
        "other_month": ~pickup.is_between(first, end, closed="left").fill_null(False),
        "non_positive_duration": (minutes <= 0).fill_null(True),
        "too_long": (minutes > contract.TOO_LONG_MINUTES).fill_null(False),
        "zero_distance": (miles <= 0).fill_null(True),
        "too_far": (miles > contract.TOO_FAR_MILES).fill_null(False),
        "unknown_zone": ~known.fill_null(False),
        "outside_range": (
            (minutes > 0)
            & (minutes <= contract.TOO_LONG_MINUTES)
            & ~minutes.is_between(contract.SHORTEST_MINUTES, contract.LONGEST_MINUTES)
        ).fill_null(False),
    }


def _refuse_empty(
    counts: Tally, month: str, where: str, first: datetime | None, last: datetime | None
) -> None:
    if counts.rows_read == 0:
        raise BadInputError(f"{where} has no rows")
    if counts.dirt["other_month"] == counts.rows_read:
        raise BadInputError(
            f"{where} has {counts.rows_read:,} rows, but none of {month}: "
            f"its pickups run from {first} to {last}"
        )
    if counts.rows_kept == 0:
        reasons = ", ".join(f"{name} {rows:,}" for name, rows in counts.set_aside.items() if rows)
        raise BadInputError(
            f"{where} has {counts.rows_read:,} rows, but none is a usable trip: {reasons}"
        )


def _holds(dtype: pl.DataType, kind: Kind) -> bool:
    """A column that is null all the way has no type of its own, and fits any kind."""
    match kind:
        case Kind.TIME:
            return isinstance(dtype, pl.Datetime) and dtype.time_zone is None
        case Kind.NUMBER:
            return dtype.is_numeric() or dtype == pl.Null
        case Kind.TEXT:
            return dtype in (pl.String, pl.Null) or isinstance(dtype, pl.Categorical | pl.Enum)


def _whole(name: str, dtype: type[pl.DataType]) -> pl.Expr:
    number = pl.col(name).cast(pl.Float64)
    return pl.when(number == number.round()).then(number).cast(dtype, strict=False).alias(name)

"""Which rows of a trip file are trips. Pure: frames and expressions.

A row's reasons are the bits of one number, in the contract's order, followed by what is noted of
it: so a batch is counted by counting numbers.
"""

from __future__ import annotations

import operator
from datetime import datetime
from functools import lru_cache, reduce

import polars as pl

from data_engineering.contract import reasons as contract
from data_engineering.contract.months import check_month, month_after
from data_engineering.contract.reasons import NOTED, REASONS

BIT = {name: 1 << place for place, name in enumerate((*REASONS, *NOTED))}
"""The bit of each reason and of each thing noted."""

ASIDE = sum(BIT[name] for name in REASONS)
"""A row with any of these bits is set aside."""

WAITS = 1 << len(BIT)
"""The bit of a row that may take another one back: the whole file must be seen to decide."""


def holding(month: str) -> dict[str, pl.Expr]:
    """Return the expression that is true where a reason holds or a thing is noted; never null.

    All but `refund` and `duplicate`, which need to see more than one row.
    """
    first = datetime.fromisoformat(f"{check_month(month)}-01")
    end = datetime.fromisoformat(f"{month_after(month)}-01")
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
            (minutes > 0) & ~minutes.is_between(contract.SHORTEST_MINUTES, contract.LONGEST_MINUTES)
        ).fill_null(False),
        "null_passenger_count": pl.col("passenger_count").is_null(),
        "non_positive_fare": (pl.col("fare_dollars") <= 0).fill_null(False),
    }


def judge(trips: pl.LazyFrame, month: str) -> pl.LazyFrame:
    """Add `duration_minutes`, and `marks`: the bits of the reasons and notes that hold."""
    took = (pl.col("dropoff_at") - pl.col("pickup_at")).dt.total_microseconds() / 60_000_000
    return trips.with_columns(took.alias("duration_minutes")).with_columns(_marks(month))


@lru_cache(maxsize=8)
def _marks(month: str) -> pl.Expr:
    bits = [
        holds.cast(pl.UInt16) * pl.lit(BIT[name], pl.UInt16)
        for name, holds in holding(month).items()
    ]
    fare, total = (pl.col(name).fill_null(0) for name in ("fare_dollars", "total_dollars"))
    takes_back = (fare < 0) | ((fare == 0) & (total < 0))
    bits.append(takes_back.cast(pl.UInt16) * pl.lit(WAITS, pl.UInt16))
    return reduce(operator.or_, bits).alias("marks")


def kept() -> pl.Expr:
    """Return the expression that is true for rows that no reason sets aside."""
    return (pl.col("marks") & (ASIDE | WAITS)) == 0


def reasons_of(marks: int) -> list[str]:
    """Return the reasons that the bits stand for, in the contract's order."""
    return [name for name in REASONS if marks & BIT[name]]

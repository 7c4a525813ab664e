"""From judged trips to the features that are published. Pure: frames in, frames out."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache, lru_cache

import numpy as np
import polars as pl
from holidays.countries.united_states import UnitedStates

from data_engineering.contract.frames import FEATURES, QUARANTINE
from data_engineering.contract.reasons import LAST_KNOWN_ZONE
from data_engineering.trips.history import PairHistory, place
from data_engineering.trips.judge import reasons_of
from data_engineering.trips.zones import AIRPORTS, BOROUGH_OF, BOROUGHS

_FIRST_DAY, _LAST_DAY = date(2008, 1, 1), date(2099, 12, 31)
_EPOCH = date(1970, 1, 1)
_MINUTE = 60_000_000  # microseconds
_RUSH = ((7, 10), (16, 19))
_WORK_DAYS = 5
_ENDS = ("pickup", "dropoff")
_AFTER = ("trip_distance_miles", "duration_minutes", "fare_dollars")


def features(trips: pl.DataFrame, history: PairHistory) -> pl.DataFrame:
    """Return the columns of `contract.frames.FEATURES` of judged trips, in their order.

    Rows that are set aside have null where a value cannot be computed. No value but those of
    `history`, which is of earlier months, depends on another row.
    """
    made = (
        trips.lazy()
        .select(_placed())
        .with_columns(
            (pl.col("minute_of_day") // 60).cast(pl.Int8).alias("hour"),
            *_of_day(_years(trips)),
            *_of_zones(),
            place(*(pl.col(f"_{end}") for end in _ENDS)),
        )
        .with_columns(_rush_hour(), *history.looked_up)
    )
    return made.select(list(FEATURES)).collect()


def quarantine(trips: pl.DataFrame, history: PairHistory) -> pl.DataFrame:
    """Return the columns of `contract.frames.QUARANTINE` of trips that are set aside."""
    marks = trips["marks"].unique()
    words = pl.DataFrame(
        {"marks": marks, "reasons": [reasons_of(each) for each in marks]},
        schema_overrides={"reasons": QUARANTINE["reasons"]},
    )
    named = trips.select("marks").join(words, on="marks", how="left", maintain_order="left")
    return features(trips, history).with_columns(trips["source_row"], named["reasons"])


@cache
def _placed() -> list[pl.Expr]:
    """Return what is taken as it is, and where to look other things up."""
    minute = pl.col("pickup_at").to_physical() // _MINUTE
    return [
        pl.col("pickup_at", "pickup_zone", "dropoff_zone", "passenger_count"),
        *(_finite(name) for name in _AFTER),
        (minute % 1440).cast(pl.Int16).alias("minute_of_day"),
        _row(minute // 1440 - (_FIRST_DAY - _EPOCH).days, _calendar().height).alias("_day"),
        *(_row(pl.col(f"{end}_zone") - 1, LAST_KNOWN_ZONE).alias(f"_{end}") for end in _ENDS),
        _pair().alias("zone_pair"),
    ]


def _years(trips: pl.DataFrame) -> tuple[int, ...]:
    """Return the years of the calendar from the first pickup to the last."""
    at = trips["pickup_at"].to_physical()
    days = [
        min(max(moment // _MINUTE // 1440 - (_FIRST_DAY - _EPOCH).days, 0), _calendar().height - 1)
        for moment in (at.min(), at.max())
        if isinstance(moment, int)
    ]
    years = [_calendar()["year"][day] for day in days]
    return tuple(range(years[0], years[1] + 1)) if years else ()


@cache
def _calendar() -> pl.DataFrame:
    """One row a day, from _FIRST_DAY on."""
    days = pl.date_range(_FIRST_DAY, _LAST_DAY, timedelta(days=1), eager=True).alias("day")
    day = pl.col("day")
    return days.to_frame().select(
        (day.dt.weekday() - 1).cast(pl.Int8).alias("weekday"),
        day.dt.day().cast(pl.Int8).alias("day_of_month"),
        day.dt.month().cast(pl.Int8).alias("month_of_year"),
        day.dt.year().alias("year"),
    )


def _holidays(years: tuple[int, ...]) -> pl.DataFrame:
    """Tell for each day of the calendar whether it is a holiday, if its year is one of these."""
    free = list(UnitedStates(years=years)) if years else []  # type: ignore[no-untyped-call]
    marked = np.zeros(_calendar().height, np.bool_)
    marked[[(day - _FIRST_DAY).days for day in free if _FIRST_DAY <= day <= _LAST_DAY]] = True
    return pl.DataFrame({"holiday": marked})


@cache
def _zones() -> pl.DataFrame:
    """One row a zone, in their order."""
    zones = range(1, LAST_KNOWN_ZONE + 1)
    return pl.DataFrame(
        {
            "borough": pl.Series([BOROUGH_OF[z] for z in zones], dtype=pl.Enum(BOROUGHS)),
            "airport": [z in AIRPORTS for z in zones],
        }
    )


def _pair() -> pl.Expr:
    return pl.col("pickup_zone").cast(pl.Int32) * 1000 + pl.col("dropoff_zone")


def _row(at: pl.Expr, rows: int) -> pl.Expr:
    """Return where to look in a table of so many rows: null where it has no such row."""
    return pl.when(at.is_between(0, rows - 1)).then(at).cast(pl.UInt32)


@lru_cache(maxsize=16)
def _of_day(years: tuple[int, ...]) -> list[pl.Expr]:
    """Return what a row's day says, with the holidays of these years."""
    names = ("weekday", "day_of_month", "month_of_year")
    return [
        *(_look(_calendar(), name, "_day") for name in names),
        _look(_holidays(years), "holiday", "_day"),
    ]


@cache
def _of_zones() -> list[pl.Expr]:
    return [
        _look(_zones(), name, f"_{end}").alias(alias.format(end))
        for end in _ENDS
        for name, alias in (("borough", "{}_borough"), ("airport", "airport_{}"))
    ]


def _look(table: pl.DataFrame, column: str, at: str) -> pl.Expr:
    """Return the column's values at these rows of the table, null where there is no row."""
    return pl.lit(table[column]).gather(pl.col(at)).alias(column)


@cache
def _rush_hour() -> pl.Expr:
    hour = pl.col("hour")
    rush = pl.any_horizontal(hour.is_between(a, b, closed="left") for a, b in _RUSH)
    return (rush & (pl.col("weekday") < _WORK_DAYS) & ~pl.col("holiday")).alias("rush_hour")


def _finite(name: str) -> pl.Expr:
    value = pl.col(name).cast(pl.Float32)
    return pl.when(value.is_finite()).then(value).alias(name)

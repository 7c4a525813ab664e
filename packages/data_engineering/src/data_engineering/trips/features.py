"""From judged trips to the features that are published. Pure: frames in, frames out."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache, lru_cache

import holidays
import numpy as np
import polars as pl

from data_engineering.contract.frames import FEATURES, QUARANTINE
from data_engineering.contract.reasons import LAST_KNOWN_ZONE
from data_engineering.trips.history import PairHistory
from data_engineering.trips.judge import reasons_of
from data_engineering.trips.zones import AIRPORTS, BOROUGH_OF, BOROUGHS

_FIRST_DAY, _LAST_DAY = date(2008, 1, 1), date(2099, 12, 31)
_EPOCH = date(1970, 1, 1)
_MINUTE = 60_000_000  # microseconds
_RUSH = ((7, 10), (16, 19))
_WORK_DAYS = 5
_AFTER = ("trip_distance_miles", "duration_minutes", "fare_dollars")


def features(trips: pl.DataFrame, history: PairHistory) -> pl.DataFrame:
    """Return the columns of `contract.frames.FEATURES` of judged trips, in their order.

    Rows that are set aside have null where a value cannot be computed. No value but those of
    `history`, which is of earlier months, depends on another row.
    """
    minute = trips["pickup_at"].to_physical() // _MINUTE
    minute_of_day = (minute % 1440).cast(pl.Int16)
    day = _row(minute // 1440 - (_FIRST_DAY - _EPOCH).days, _calendar().height)
    years = _calendar()["year"].gather(day).unique().drop_nulls().sort()
    pair = trips["pickup_zone"].cast(pl.Int32) * 1000 + trips["dropoff_zone"]
    ends = {
        end: _at(_zones(), _row(trips[f"{end}_zone"], LAST_KNOWN_ZONE + 1))
        for end in ("pickup", "dropoff")
    }
    made = trips.with_columns(
        (minute_of_day // 60).cast(pl.Int8).alias("hour"),
        minute_of_day.alias("minute_of_day"),
        pair.alias("zone_pair"),
        *_at(_calendar(), day).drop("year"),
        _holidays(tuple(years)).gather(day).alias("holiday"),
        *history.of(pair),
        *(zone["borough"].alias(f"{end}_borough") for end, zone in ends.items()),
        *(zone["airport"].alias(f"airport_{end}") for end, zone in ends.items()),
        *(_finite(name) for name in _AFTER),
    ).with_columns(_rush_hour())
    return made.select(list(FEATURES))


def published(made: pl.DataFrame) -> pl.DataFrame:
    """Return `features` in the contract's types, in which boroughs are plain text."""
    return made.cast({"pickup_borough": pl.String, "dropoff_borough": pl.String})


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


@lru_cache(maxsize=16)
def _holidays(years: tuple[int, ...]) -> pl.Series:
    """Tell for each day of the calendar whether it is a holiday, if its year is one of these."""
    free = list(holidays.country_holidays("US", years=years)) if years else []
    marked = np.zeros(_calendar().height, np.bool_)
    marked[[(day - _FIRST_DAY).days for day in free if _FIRST_DAY <= day <= _LAST_DAY]] = True
    return pl.Series(marked)


@cache
def _zones() -> pl.DataFrame:
    """One row a zone, from 0 on."""
    zones = range(LAST_KNOWN_ZONE + 1)
    return pl.DataFrame(
        {
            "borough": pl.Series([BOROUGH_OF.get(z) for z in zones], dtype=pl.Enum(BOROUGHS)),
            "airport": [z in AIRPORTS if z in BOROUGH_OF else None for z in zones],
        }
    )


def _row(place: pl.Series, rows: int) -> pl.Series:
    """Return where to look in a table of so many rows: null where it has no such row."""
    if not place.has_nulls() and place.len() and place.min() >= 0 and place.max() < rows:  # type: ignore[operator]
        return place
    return pl.select(pl.when(place.is_between(0, rows - 1)).then(place)).to_series()


def _at(table: pl.DataFrame, place: pl.Series) -> pl.DataFrame:
    """Return the table's rows at these places, null where there is no place."""
    return table.select(pl.all().gather(place))


def _rush_hour() -> pl.Expr:
    hour = pl.col("hour")
    rush = pl.any_horizontal(hour.is_between(a, b, closed="left") for a, b in _RUSH)
    return (rush & (pl.col("weekday") < _WORK_DAYS) & ~pl.col("holiday")).alias("rush_hour")


def _finite(name: str) -> pl.Expr:
    value = pl.col(name).cast(pl.Float32)
    return pl.when(value.is_finite()).then(value).alias(name)

"""Cabs, months, and where things are kept. Imports nothing heavy: Airflow reads it to parse."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from data_engineering.errors import BadInputError

DEFAULT_ROOT = "s3://trip-data"
"""Where datasets are kept, unless $TRIP_DATA_ROOT names another place."""

MADE_UP = "made-up"
"""The part of a root below which everything is that the generator's trips were made into."""

CABS = ("green", "yellow")
MONTH = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"
FIRST_MONTH = {"green": "2013-08", "yellow": "2009-01"}
"""TLC's first month of each cab."""
FIRST_WITH_ZONES = {"green": "2013-08", "yellow": "2011-01"}
"""The first month of each cab whose Parquet file on TLC's site has zones; before, coordinates."""

_MOST_MONTHS = 12 * 40


def data_root() -> str:
    """Return $TRIP_DATA_ROOT, or the data team's bucket."""
    return (os.environ.get("TRIP_DATA_ROOT") or DEFAULT_ROOT).rstrip("/")


def root_for(source: str | None, root: str) -> str:
    """Return the root that a source's datasets lie below: made-up trips have one of their own."""
    return f"{root.rstrip('/')}/{MADE_UP}" if source == "generator" else root


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


def check_published(cab: str, month: str) -> str:
    """Return `month`; BadInputError if TLC's trips of that cab began later."""
    if check_month(month) < FIRST_MONTH[check_cab(cab)]:
        raise BadInputError(
            f"there are no {cab} trips of {month}: TLC's begin with {FIRST_MONTH[cab]}"
        )
    return month


def check_has_zones(cab: str, month: str) -> str:
    """Return `month`; BadInputError if TLC's own file of it has coordinates instead of zones."""
    if check_month(month) < FIRST_WITH_ZONES[check_cab(cab)]:
        raise BadInputError(
            f"TLC's file of {cab} {month} has coordinates and no zones, which features need: it is "
            f"not fetched. TLC's files have zones from {FIRST_WITH_ZONES[cab]} on; where you have "
            "one with zones, give it as source (--source)"
        )
    return month


def month_before(month: str) -> str:
    """Return the month before: 2024-01 gives 2023-12."""
    year, number = (int(part) for part in check_month(month).split("-"))
    return f"{year - 1}-12" if number == 1 else f"{year}-{number - 1:02}"


def month_after(month: str) -> str:
    """Return the month after: 2023-12 gives 2024-01."""
    year, number = (int(part) for part in check_month(month).split("-"))
    return f"{year + 1}-01" if number == 12 else f"{year}-{number + 1:02}"


def months_in(span: str) -> list[str]:
    """Return the months of 2019-01..2025-12, both ends included, or of one month alone.

    Raises:
        BadInputError: an end is no month, or they are the wrong way round.
    """
    first, dots, last = span.strip().partition("..")
    month, end = check_month(first), check_month(last if dots else first)
    if month > end:
        raise BadInputError(f"months {span}: {first} is after {last}")
    found = []
    while month <= end:
        found.append(month)
        month = month_after(month)
    if len(found) > _MOST_MONTHS:
        raise BadInputError(f"months {span}: that are {len(found)}, more than {_MOST_MONTHS}")
    return found


def train_months(month: str, asked: Sequence[str] | None) -> list[str]:
    """Return the months to train on, sorted and once each: those asked, or the one before."""
    return sorted({check_month(each) for each in asked}) if asked else [month_before(month)]


def file_name(cab: str, month: str) -> str:
    """Return what TLC calls that month's file."""
    return f"{check_cab(cab)}_tripdata_{check_month(month)}.parquet"

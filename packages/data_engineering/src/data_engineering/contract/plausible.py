"""When a month's file is not believed: it is written, but held back from readers.

The limits are $TRIP_DATA_… variables, so that a site can set its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from statistics import median
from typing import Any

from data_engineering.errors import BadInputError


@dataclass(frozen=True)
class Limits:
    """What a month may look like. Each field is read from $TRIP_DATA_ and its name in capitals."""

    max_set_aside: float = 0.25
    """Share of rows that may be set aside, of 1. Real months have 0.03 to 0.15."""
    max_other_month: float = 0.02
    """Share of rows that may be of another month. Real months have less than 0.001."""
    min_rows_ratio: float = 0.5
    """Kept rows at least, as a share of the median of the months around."""
    max_rows_ratio: float = 2.0
    """Kept rows at most, as a multiple of the median of the months around."""
    max_missing_days: int = 1
    """Days of the month that may be without a single kept trip."""

    @classmethod
    def of(cls, environment: Mapping[str, str] | None = None) -> Limits:
        """Return the limits that the environment sets.

        Raises:
            BadInputError: a variable holds no number, or a negative one.
        """
        environment = os.environ if environment is None else environment
        given: dict[str, Any] = {}
        for field in fields(cls):
            name = f"TRIP_DATA_{field.name.upper()}"
            if text := environment.get(name, "").strip():
                kind = int if isinstance(field.default, int) else float
                try:
                    given[field.name] = kind(text)
                except ValueError as error:
                    raise BadInputError(f"{name} is {text!r}: it must be a number") from error
                if not given[field.name] >= 0:
                    raise BadInputError(f"{name} is {text!r}: it must be 0 or more")
        return cls(**given)


def doubts(
    *,
    month: str,
    read: int,
    kept: int,
    other_month: int,
    missing_days: list[int],
    around: Mapping[str, int],
    limits: Limits,
) -> list[str]:
    """Return why a month is not plausible, in words that say what was found and what is allowed.

    Args:
        month: YYYY-MM.
        read: rows of the file.
        kept: rows that are usable trips.
        other_month: rows that were picked up in another month.
        missing_days: days of the month without a kept trip.
        around: {month: kept rows} of published months near this one.
        limits: what is allowed.
    """
    found = []
    if read and other_month / read > limits.max_other_month:
        found.append(
            f"{other_month / read:.1%} of its rows are of other months than {month} "
            f"({limits.max_other_month:.1%} at most)"
        )
    aside = read - kept
    if read and aside / read > limits.max_set_aside:
        found.append(
            f"{aside / read:.1%} of its rows are set aside ({limits.max_set_aside:.1%} at most)"
        )
    if len(missing_days) > limits.max_missing_days:
        found.append(
            f"{len(missing_days)} days have no trip: {_spans(missing_days)} "
            f"({limits.max_missing_days} at most)"
        )
    if around:
        usual = median(around.values())
        ratio = kept / usual if usual else float("inf")
        if not limits.min_rows_ratio <= ratio <= limits.max_rows_ratio:
            found.append(
                f"{kept:,} trips are {ratio:.2f} times the {usual:,.0f} of the months around "
                f"({', '.join(sorted(around))}; {limits.min_rows_ratio:g} to "
                f"{limits.max_rows_ratio:g} times are usual)"
            )
    return found


def _spans(days: list[int]) -> str:
    """Write 1, 2, 3, 7 as "1-3, 7"."""
    spans: list[list[int]] = []
    for day in days:
        if spans and day == spans[-1][1] + 1:
            spans[-1][1] = day
        else:
            spans.append([day, day])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)

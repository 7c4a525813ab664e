"""Cron as its writers have it -> the five fields that Airflow's croniter reads.

Metaflow's schedules are EventBridge's six fields (`?`, a year, weekdays from Sunday = 1) or Unix's
five (weekdays from Sunday = 0). Names of months and days, ranges, steps, `L` and `#` are in both.
"""

from __future__ import annotations

import re

from croniter import croniter
from croniter.croniter import CroniterBadDateError, CroniterError

from metaflow_airflow.errors import BridgeError

_PRESETS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_FIELDS = ("minute", "hour", "day of month", "month", "day of week")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
# What may stand in a field besides digits; croniter takes W for nothing and R for a random number.
_WORDS = {"day of month": ("L",), "month": _MONTHS, "day of week": (*_DAYS, "L")}


def five_fields(expression: str) -> str:
    """The same times in Airflow's cron.

    Raises:
        BridgeError: no cron expression, one that Airflow cannot say, or one of no time at all.
    """
    fields = expression.upper().split()
    if len(fields) == 1 and expression.lower() in _PRESETS:
        return " ".join(croniter(expression.lower()).expressions)
    if len(fields) not in (5, 6):
        raise BridgeError(
            # Not the expression itself: Metaflow's command line takes its stars for markup.
            f"The cron expression of @schedule has {len(fields)} fields: give five "
            "(minute hour day month weekday), or EventBridge's six with a year."
        )
    eventbridge = len(fields) == 6
    if eventbridge and fields[5] not in ("*", "?"):
        raise _bad("year", fields[5], "Airflow's cron knows no year: give *")
    fields = ["*" if field == "?" else field for field in fields[:5]]
    fields[4] = ",".join(_weekday(part, eventbridge) for part in fields[4].split(","))
    for name, field in zip(_FIELDS, fields, strict=True):
        _check(name, field)
    text = " ".join(fields)
    try:
        croniter(text).get_next()
    except CroniterBadDateError as error:
        raise BridgeError(
            f"The cron expression of @schedule names day {fields[2]} of month {fields[3]}, which "
            "never comes."
        ) from error
    return text


def _weekday(part: str, eventbridge: bool) -> str:
    """One part of a list of weekdays; `6L`, the last of a month, is croniter's `L6`."""
    part, slash, step = part.partition("/")
    if part == "L" and eventbridge:
        part = "7"  # the last day of the week
    day, hash_, week = part.partition("#")
    if eventbridge:
        day = re.sub(r"[1-7]", lambda match: str(int(match.group()) - 1), day)
    if len(day) > 1 and day.endswith("L"):
        name = day[:-1]
        day = f"L{_DAYS.index(name) if name in _DAYS else name}"
    return f"{day}{hash_}{week}{slash}{step}"


def _check(name: str, field: str) -> None:
    """Refuse a field that croniter does not take, or takes for something else."""
    words = re.findall(r"[A-Z]+", field)
    known = _WORDS.get(name, ())
    if foreign := [word for word in words if word not in known]:
        raise _bad(name, field, f"Airflow's cron cannot say {', '.join(foreign)} there")
    try:
        croniter.expand(" ".join(field if each == name else "*" for each in _FIELDS))
    except CroniterError as error:
        raise _bad(name, field, "no cron takes that") from error


def _bad(name: str, field: str, reason: str) -> BridgeError:
    return BridgeError(
        f"The cron expression of @schedule says {field} for the {name}: {reason}. Use a plain "
        "five-field expression (minute hour day month weekday)."
    )

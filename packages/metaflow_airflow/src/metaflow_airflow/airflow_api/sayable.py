"""What can be sent to Airflow: JSON as its database keeps it and its workers read it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from metaflow_airflow.plan.record import LEAST, MOST

# A float from here on is written with an exponent, which a database of JSON reads as an integer.
_WRITTEN_AS_INTEGER = 1e16


def unsayable(value: Any, *, typed: bool = False) -> tuple[Any, str] | None:
    """The first part of a value that cannot be sent to Airflow, and why; None if all can.

    Args:
        typed: whoever reads the value knows its type, and makes a float of an integer.
    """
    if isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple):
        parts = list(value)
    else:
        reason = _why_not(value, typed)
        return (value, reason) if reason else None
    return next(filter(None, map(unsayable, parts)), None)


def _why_not(value: object, typed: bool) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return _why_not_text(value)
    if not isinstance(value, int | float):
        return f"JSON has no {type(value).__name__}"
    if not math.isfinite(value):
        return "JSON has finite numbers only"
    if value == int(value) and not LEAST <= value <= MOST:
        return "its workers are handed numbers of at most 64 bits"
    if value == 0 and math.copysign(1, value) < 0:
        return "its database keeps no sign of a zero"
    if isinstance(value, float) and not typed and abs(value) >= _WRITTEN_AS_INTEGER:
        return "its database keeps a float from 1e16 on as an integer"
    return None


def _why_not_text(value: str) -> str | None:
    if "\0" in value:
        return "its database takes no NUL character"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "half of a surrogate pair is no text"
    return None

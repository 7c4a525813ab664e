"""How long a step asks for what is away before it gives up: longer than servers are away. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from .failures import LaunchError

VARIABLE = "METAFLOW_AIRFLOW_PATIENCE"
"""Seconds."""

_SECONDS = 600.0
_MOST = 60.0  # seconds between two questions


def patience(environ: Mapping[str, str]) -> float:
    """The seconds.

    Raises:
        LaunchError: the variable has no such number.
    """
    said = environ.get(VARIABLE) or str(_SECONDS)
    try:
        seconds = float(said)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise LaunchError(f"{VARIABLE} is {said!r}: give a number of seconds, 0 or more.")
    return seconds


def delays(seconds: float) -> Iterator[float]:
    """Between two questions, together so many seconds: 1, 2, 4, … 60, 60, …"""
    delay = 1.0
    while seconds > 0:
        yield min(delay, seconds)
        seconds -= delay
        delay = min(2 * delay, _MOST)


def service_requests(seconds: float) -> int:
    """How often Metaflow asks its service in that time: it waits 1, 2, 4, … seconds between."""
    return 1 + math.ceil(math.log2(seconds + 1))

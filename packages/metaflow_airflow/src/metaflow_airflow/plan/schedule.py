"""Metaflow's @schedule as a five-field cron expression."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from metaflow_airflow.errors import BridgeError
from metaflow_airflow.plan.dag import Schedule


def read_schedule(attributes: Mapping[str, Any]) -> Schedule | None:
    """Translate the attributes of @schedule.

    Raises:
        BridgeError: for an expression that Airflow's cron cannot say, or an unknown time zone.
    """
    timezone = attributes.get("timezone") or "UTC"
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BridgeError(
            f"@schedule(timezone={timezone!r}): no such time zone. Use an IANA name such as "
            "Europe/Berlin."
        ) from error
    if attributes.get("cron"):
        return Schedule(_cron(str(attributes["cron"])), timezone)
    for name, cron in (("weekly", "0 0 * * 0"), ("hourly", "0 * * * *"), ("daily", "0 0 * * *")):
        if attributes.get(name):
            return Schedule(cron, timezone)
    return None


def _cron(expression: str) -> str:
    """Five fields stay; EventBridge's six (with `?`, a year, Sunday = 1) are translated."""
    fields = expression.split()
    if len(fields) == 5:
        return " ".join("*" if field == "?" else field for field in fields)
    if len(fields) != 6:
        raise BridgeError(
            # Not the expression itself: Metaflow's command line takes its stars for markup.
            f"The cron expression of @schedule has {len(fields)} fields: give five "
            "(minute hour day month weekday), or EventBridge's six with a year."
        )
    *fields, year = fields
    weekday = fields[4]
    foreign = [field for field in fields if any(mark in field for mark in "LW#")]
    foreign += [year] if year != "*" else []
    if foreign:
        raise BridgeError(
            f"The cron expression of @schedule says {', '.join(foreign)}: a year, L, W and # "
            "cannot be said in Airflow's cron. Use a plain five-field expression."
        )
    # EventBridge counts weekdays from Sunday = 1, cron from Sunday = 0; a step (/2) stays.
    weekday = re.sub(r"(?<!/)[1-7]", lambda match: str(int(match.group()) - 1), weekday)
    return " ".join("*" if field == "?" else field for field in [*fields[:4], weekday])

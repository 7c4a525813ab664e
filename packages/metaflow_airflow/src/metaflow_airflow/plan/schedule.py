"""Metaflow's @schedule as a five-field cron expression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from metaflow_airflow.errors import BridgeError
from metaflow_airflow.plan.cron import five_fields
from metaflow_airflow.plan.dag import Schedule


def read_schedule(attributes: Mapping[str, Any], *, catchup: bool = False) -> Schedule | None:
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
        return Schedule(five_fields(str(attributes["cron"])), timezone, catchup)
    for name, cron in (("weekly", "0 0 * * 0"), ("hourly", "0 * * * *"), ("daily", "0 0 * * *")):
        if attributes.get(name):
            return Schedule(cron, timezone, catchup)
    return None

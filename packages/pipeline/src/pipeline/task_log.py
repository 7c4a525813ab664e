"""What a task said: the entries of its log as Airflow's API gives them, without Airflow's news."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# What these say at level info is the same in every log, and hides the one line that matters.
_CHATTER = ("task", "airflow.dag_processing.", "botocore.")


def lines(entries: Iterable[Any]) -> list[str]:
    """Return what was said, a line each, and the frames of an exception after it."""
    return [line for entry in entries for line in _lines(entry)]


def warnings(entries: Iterable[Any], logger: str) -> list[str]:
    """Return what code below `logger` warned of."""
    return [
        str(entry["event"])
        for entry in entries
        if isinstance(entry, dict)
        and entry.get("level") == "warning"
        and str(entry.get("logger")).startswith(logger)
    ]


def _lines(entry: Any) -> list[str]:
    if isinstance(entry, str):
        return entry.splitlines()
    event = str(entry["event"])
    if event.startswith("::") or _is_chatter(entry):
        return []  # marks of the user interface, and where it found the log
    said = event.splitlines() or [""]
    for error in entry.get("error_detail") or []:
        said.append(f"{error.get('exc_type')}: {error.get('exc_value')}")
    return said


def _is_chatter(entry: dict[str, Any]) -> bool:
    logger = str(entry.get("logger"))
    return entry.get("level") == "info" and any(
        logger.startswith(name) if name.endswith(".") else logger == name for name in _CHATTER
    )

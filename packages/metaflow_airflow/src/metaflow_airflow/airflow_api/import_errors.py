"""Why Airflow could not load one DAG file, and not another one whose name ends like it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any


@dataclass(frozen=True)
class ImportFailure:
    """What Airflow recorded when it parsed a file; each parse that fails records it anew."""

    stack_trace: str
    timestamp: str


def failures_of(errors: Iterable[dict[str, Any]], path: str) -> list[ImportFailure]:
    """The failures of the file at `path`.

    Args:
        errors: as the REST API lists them: each file by its path below its bundle.
        path: of the file, as whoever exports sees it; Airflow may see its folder elsewhere.
    """
    parts = PurePosixPath(path).parts
    return [
        ImportFailure(str(error["stack_trace"]).strip(), str(error["timestamp"]))
        for error in errors
        if parts[-len(theirs := PurePosixPath(error["filename"]).parts) :] == theirs
    ]


class FailureWatch:
    """Tells the failures of a file's new text from those of the text that it replaces.

    No clock is compared: what was recorded before the file was written is known, and so is that
    Airflow parses a file in one process at a time. A parse of the former text may end after the
    new one is in place, with the former failure; the next one is of the new text.

    Args:
        before: the file's failures, asked for before it was written.
    """

    def __init__(self, before: Iterable[ImportFailure]) -> None:
        self._before = {failure.stack_trace: {failure.timestamp} for failure in before}

    def first_new(self, failures: Iterable[ImportFailure]) -> ImportFailure | None:
        """A failure that the new text has, among those that the file has now."""
        for failure in failures:
            times = self._before.get(failure.stack_trace)
            if times is None:
                return failure
            times.add(failure.timestamp)
            if len(times) > 2:
                return failure
        return None

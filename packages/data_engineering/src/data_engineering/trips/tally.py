"""What a month's file holds, in rows. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from data_engineering.contract.months import month_after
from data_engineering.contract.reasons import NOTED, REASONS
from data_engineering.errors import BadInputError
from data_engineering.trips.judge import ASIDE, BIT


@dataclass(frozen=True)
class Tally:
    """Rows of a file, counted.

    `set_aside` has each row that is not kept once, under its first reason; `only` counts rows that
    have no other reason. `noted` counts among the rows kept. `dirt` counts each reason and each
    thing noted over all rows, so its figures overlap.
    """

    rows_read: int
    rows_kept: int
    set_aside: dict[str, int]
    noted: dict[str, int]
    dirt: dict[str, int]
    only: dict[str, int] = field(default_factory=dict)
    missing_days: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, marks: Mapping[int, int], kept_by_day: Mapping[int, int], month: str) -> Tally:
        """Count rows by their marks; `kept_by_day` has the kept rows of each day of the month."""
        first, only, dirt, noted = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
        for mark, rows in marks.items():
            names = [name for name, bit in BIT.items() if mark & bit]
            dirt.update(dict.fromkeys(names, rows))
            reasons = [name for name in names if name in REASONS]
            if reasons:
                first[reasons[0]] += rows
            else:
                noted.update(dict.fromkeys(names, rows))
            if len(reasons) == 1:
                only[reasons[0]] += rows
        start = date.fromisoformat(f"{month}-01")
        days = (date.fromisoformat(f"{month_after(month)}-01") - start).days
        return cls(
            rows_read=sum(marks.values()),
            rows_kept=sum(rows for mark, rows in marks.items() if not mark & ASIDE),
            set_aside={name: first[name] for name in REASONS},
            noted={name: noted[name] for name in NOTED},
            dirt={name: dirt[name] for name in BIT},
            only={name: only[name] for name in REASONS},
            missing_days=[day for day in range(1, days + 1) if not kept_by_day.get(day)],
        )

    def counts(self) -> dict[str, Any]:
        """Return what the manifest shows of it."""
        names = ("rows_read", "rows_kept", "set_aside", "noted", "dirt", "missing_days")
        return {name: getattr(self, name) for name in names}

    def refuse_empty(self, month: str, where: str, pickups: str) -> None:
        """Raise BadInputError if there is nothing to publish.

        Args:
            month: the month that the file is for.
            where: the file's name.
            pickups: when its trips began, for the error.
        """
        if self.rows_read == 0:
            raise BadInputError(f"{where} has no rows")
        if self.dirt["other_month"] == self.rows_read:
            raise BadInputError(
                f"{where} has {self.rows_read:,} rows, but none of {month}: {pickups}"
            )
        if self.rows_kept == 0:
            reasons = ", ".join(f"{name} {n:,}" for name, n in self.set_aside.items() if n)
            raise BadInputError(
                f"{where} has {self.rows_read:,} rows, but none is a usable trip: {reasons}"
            )

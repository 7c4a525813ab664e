"""One pass over a month's file: features, quarantine and counts, in memory that does not grow.

A refund is set aside if the row that it takes back is anywhere in the file, so refunds wait until
all is read. Copies of rows are rare: only when there are some is the file read a second time.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from data_engineering.contract.frames import FEATURES, NEVER_NULL, QUARANTINE
from data_engineering.contract.reasons import REASONS
from data_engineering.publish.files import FileFacts, ParquetSink, parquet
from data_engineering.publish.seen import Seen
from data_engineering.storage.objects import Storage
from data_engineering.trips import repeats
from data_engineering.trips.features import features, quarantine
from data_engineering.trips.history import PAIRS, PairCounts, PairHistory
from data_engineering.trips.judge import ASIDE, BIT, WAITS, judge, kept
from data_engineering.trips.read import BATCH, TripFile
from data_engineering.trips.tally import Tally

EXAMPLES = 5
"""Rows of each reason that the manifest shows."""

_ASIDE_AT_ONCE = 50_000

_CENTURY = (datetime(2000, 1, 1), datetime(2100, 1, 1))


@dataclass(frozen=True)
class Built:
    """What was made of a file, in files that nobody reads yet."""

    tally: Tally
    files: dict[str, FileFacts]
    examples: dict[str, list[dict[str, Any]]]


def build(
    source: TripFile, month: str, history: PairHistory, storage: Storage, folder: str
) -> Built:
    """Write features.parquet, quarantine.parquet and pairs.parquet of a month into `folder`.

    Raises:
        DataError: the file is damaged, holds nothing to publish, or cannot be written.
    """
    try:
        return _Pass(source, month, history, storage, folder, _NONE).run()
    except _HasCopiesError as found:
        return _Pass(source, month, history, storage, folder, found.prints).run()


_NONE = np.zeros(0, np.uint64)


class _HasCopiesError(Exception):
    """The file has rows that are there twice; what was written is thrown away."""

    def __init__(self, prints: repeats.Prints) -> None:
        super().__init__(f"{len(prints)} rows are there more than once")
        self.prints = prints


class _Pass:
    """One reading of the file. `repeated` are fingerprints of rows known to be there twice."""

    def __init__(
        self,
        source: TripFile,
        month: str,
        history: PairHistory,
        storage: Storage,
        folder: str,
        repeated: repeats.Prints,
    ) -> None:
        self._source, self._month, self._history = source, month, history
        self._storage, self._folder, self._repeated = storage, folder, repeated
        self._marks = np.zeros(WAITS, np.int64)
        self._aside: list[pl.DataFrame] = []
        self._by_day = np.zeros(32, np.int64)
        self._pairs = PairCounts()
        self._examples: dict[str, list[dict[str, Any]]] = {name: [] for name in REASONS}
        self._pickups: list[datetime] = []

    def run(self) -> Built:
        with ExitStack() as ending:
            sinks = [
                ending.enter_context(parquet(self._storage, f"{self._folder}/{name}", *columns))
                for name, *columns in (
                    ("features.parquet", FEATURES, NEVER_NULL),
                    ("quarantine.parquet", QUARANTINE),
                )
            ]
            self._read(*sinks)
            days = dict(enumerate(self._by_day.tolist()))
            marks = {int(mark): int(self._marks[mark]) for mark in self._marks.nonzero()[0]}
            tally = Tally.of(marks, days, self._month)
            tally.refuse_empty(self._month, self._source.where, self._span())
            files = {
                name: sink.end()
                for name, sink in zip(("features", "quarantine"), sinks, strict=True)
            }
        with parquet(self._storage, f"{self._folder}/pairs.parquet", PAIRS) as sink:
            sink.write(self._pairs.table())
            files["pairs"] = sink.end()
        return Built(tally, files, self._examples)

    def _read(self, taken: ParquetSink, aside: ParquetSink) -> None:
        copies = repeats.Copies(self._repeated)
        waiting: list[tuple[pl.DataFrame, repeats.Prints]] = []
        with Seen() as seen:
            for judged in self._source.batches(lambda trips: judge(trips, self._month)):
                printed = repeats.fingerprints(judged)
                waits = judged["marks"].to_numpy() >= WAITS
                if waits.any():
                    waiting.append((judged.filter(pl.Series(waits)), printed[waits]))
                    printed = printed[~waits]
                seen.add(printed)
                if (later := copies.later(printed)).any():
                    copied = np.zeros(judged.height, np.bool_)
                    copied[~waits] = later
                    judged = _mark(judged, "duplicate", copied)
                self._take(judged, taken, aside)
            printed = np.concatenate([_NONE, *(each for _, each in waiting)])
            repeated, taken_back = seen.look(printed)
        if len(repeated) and not len(self._repeated):
            raise _HasCopiesError(repeated)
        if waiting:
            decided = pl.concat([each for each, _ in waiting]).with_columns(
                pl.col("marks") & (WAITS - 1)
            )
            waiting.clear()
            decided = _mark(decided, "refund", taken_back)
            copies = repeats.Copies(repeats.twice(np.sort(printed)))
            decided = _mark(decided, "duplicate", copies.later(printed))
            for part in decided.iter_slices(BATCH):
                self._take(part, taken, aside)
        self._set_aside(aside)

    def _take(self, judged: pl.DataFrame, taken: ParquetSink, aside: ParquetSink) -> None:
        """Write the rows that are kept, remember those set aside; rows that wait are neither."""
        marks = judged["marks"].to_numpy()
        self._marks += np.bincount(marks[marks < WAITS], minlength=WAITS)
        good = judged.filter(kept())
        made = features(good, self._history)
        taken.write(made)
        self._pairs.add(good)
        self._by_day += np.bincount(made["day_of_month"].to_numpy(), minlength=32)
        bad = (marks & ASIDE != 0) & (marks < WAITS)
        if bad.any():
            self._aside.append(judged.filter(pl.Series(bad)))
            if sum(each.height for each in self._aside) >= _ASIDE_AT_ONCE:
                self._set_aside(aside)

    def _set_aside(self, aside: ParquetSink) -> None:
        """Write the rows that were set aside since the last time."""
        if self._aside:
            bad = pl.concat(self._aside)
            self._aside.clear()
            held = quarantine(bad, self._history)
            aside.write(held)
            self._show(held)
            self._note_pickups(bad["pickup_at"])

    def _show(self, aside: pl.DataFrame) -> None:
        for reason, shown in self._examples.items():
            if len(shown) < EXAMPLES:
                rows = aside.filter(pl.col("reasons").list.contains(reason))
                shown += rows.head(EXAMPLES - len(shown)).select(_readable(), pl.exclude(
                    "pickup_at")).to_dicts()  # fmt: skip

    def _note_pickups(self, pickups: pl.Series) -> None:
        sane = pickups.filter(pickups.is_between(*_CENTURY)).sort()
        if len(sane):
            self._pickups = sorted([*self._pickups, sane[0], sane[-1]])

    def _span(self) -> str:
        if not self._pickups:
            return "none of its pickups is of this century"
        return f"its pickups run from {self._pickups[0]} to {self._pickups[-1]}"


def _mark(
    judged: pl.DataFrame, reason: str, holds: np.ndarray[Any, np.dtype[np.bool_]]
) -> pl.DataFrame:
    if not holds.any():
        return judged
    bits = pl.Series(holds.astype(np.uint16) * np.uint16(BIT[reason]))
    return judged.with_columns((judged["marks"] | bits).alias("marks"))


def _readable() -> pl.Expr:
    """Return pickup times as text; Python has no years beyond 9999, Parquet has."""
    at = pl.col("pickup_at")
    sane = at.is_between(datetime(1, 1, 1), datetime(9999, 12, 31))
    beyond = at.to_physical().cast(pl.String) + " µs since 1970"
    return pl.when(sane).then(pl.when(sane).then(at).dt.to_string("iso")).otherwise(beyond).alias(
        "pickup_at"
    )  # fmt: skip

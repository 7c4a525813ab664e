"""Rows that stand for the same trip: copies of a row, and refunds, which take a row back.

Rows are compared by a 64-bit fingerprint of all columns that are read. Two different trips of 12
million have the same one once in 250,000 files.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Prints = NDArray[np.uint64]

_ODD = [
    0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93,
    0xA0761D6478BD642F, 0xE7037ED1A0B428DB,
]  # fmt: skip
_WHOLE = ("pickup_zone", "dropoff_zone", "passenger_count")
_MEASURED = ("trip_distance_miles", "fare_dollars", "total_dollars")


def is_refund() -> pl.Expr:
    """Return the expression that is true for rows that may take another row back."""
    fare = pl.col("fare_dollars").fill_null(0)
    return (fare < 0) | ((fare == 0) & (pl.col("total_dollars").fill_null(0) < 0))


def fingerprints(trips: pl.DataFrame) -> Prints:
    """Return a fingerprint of each row, which is the same for a trip and its refund."""
    whole = [_filled(trips[name], -1).astype(np.int64) for name in _WHOLE]
    parts = [
        *(_filled(trips[name].to_physical(), 0) for name in ("pickup_at", "dropoff_at")),
        whole[0] << 40 ^ whole[1] << 20 ^ whole[2],
        *(np.abs(_filled(trips[name], -0.001)) for name in _MEASURED),
    ]
    mixed = np.zeros(trips.height, np.uint64)
    for part, odd in zip(parts, _ODD, strict=True):
        mixed ^= part.view(np.uint64)
        mixed *= np.uint64(odd)
        mixed ^= mixed >> np.uint64(29)
    return mixed


def _filled(column: pl.Series, empty: float) -> NDArray[Any]:
    return (column.fill_null(empty) if column.has_nulls() else column).to_numpy()


def twice(prints: Prints) -> Prints:
    """Return the fingerprints that are there more than once; `prints` are sorted."""
    return np.unique(prints[1:][prints[1:] == prints[:-1]])


def among(prints: Prints, known: Prints) -> NDArray[np.bool_]:
    """Tell for each fingerprint whether it is one of `known`, which are sorted."""
    if not len(known):
        return np.zeros(len(prints), np.bool_)
    order = np.argsort(prints)  # near ones one after the other: the cache is small
    place = np.minimum(np.searchsorted(known, prints[order]), len(known) - 1)
    found = np.zeros(len(prints), np.bool_)
    found[order] = known[place] == prints[order]
    return found


class Copies:
    """Tells later copies of a row from its first one, over batches."""

    def __init__(self, repeated: Prints) -> None:
        self._repeated = repeated
        self._seen = np.zeros(len(repeated), np.bool_)

    def later(self, prints: Prints) -> NDArray[np.bool_]:
        """Tell for each row whether it is a copy of one before it."""
        copy = np.zeros(len(prints), np.bool_)
        (rows,) = among(prints, self._repeated).nonzero()
        if len(rows):
            place = np.searchsorted(self._repeated, prints[rows])
            first = np.zeros(len(rows), np.bool_)
            first[np.unique(place, return_index=True)[1]] = True
            copy[rows] = ~first | self._seen[place]
            self._seen[place] = True
        return copy

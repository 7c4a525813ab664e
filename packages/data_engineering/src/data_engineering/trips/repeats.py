"""Rows that stand for the same trip: copies of a row, and refunds, which take a row back.

Rows are compared by a 64-bit fingerprint of all columns that are read, so that a whole file can be
held in mind at 8 bytes a row. Two different trips of 12 million have the same fingerprint once in
250,000 files.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

Prints = NDArray[np.uint64]

_ODD = [
    0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93,
    0xA0761D6478BD642F, 0xE7037ED1A0B428DB,
]  # fmt: skip
_WHOLE = ("pickup_zone", "dropoff_zone", "passenger_count")


def is_refund() -> pl.Expr:
    """Return the expression that is true for rows that may take another row back."""
    fare = pl.col("fare_dollars").fill_null(0)
    return (fare < 0) | ((fare == 0) & (pl.col("total_dollars").fill_null(0) < 0))


def fingerprints(trips: pl.DataFrame) -> Prints:
    """Return a fingerprint of each row, which is the same for a trip and its refund."""
    small = trips.select(
        pl.sum_horizontal(
            pl.col(name).fill_null(-1).cast(pl.Int64) * 2 ** (20 * place)
            for place, name in enumerate(_WHOLE)
        )
    ).to_series()
    parts = [
        *(
            trips[name].to_physical().fill_null(0).to_numpy()
            for name in ("pickup_at", "dropoff_at")
        ),
        small.to_numpy(),
        *(
            np.abs(trips[name].fill_null(-0.001).to_numpy()).view(np.int64)
            for name in ("trip_distance_miles", "fare_dollars", "total_dollars")
        ),
    ]
    mixed = np.zeros(trips.height, np.uint64)
    for part, odd in zip(parts, _ODD, strict=True):
        mixed ^= part.view(np.uint64)
        mixed *= np.uint64(odd)
        mixed ^= mixed >> np.uint64(29)
    return mixed


def twice(prints: Prints) -> Prints:
    """Return the fingerprints that are there more than once; `prints` are sorted."""
    return np.unique(prints[1:][prints[1:] == prints[:-1]])


def among(prints: Prints, known: Prints) -> NDArray[np.bool_]:
    """Tell for each fingerprint whether it is one of `known`, which are sorted."""
    if not len(known):
        return np.zeros(len(prints), np.bool_)
    place = np.minimum(np.searchsorted(known, prints), len(known) - 1)
    found: NDArray[np.bool_] = known[place] == prints
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

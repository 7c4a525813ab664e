"""What earlier months say of a pair of zones: how many trips, how long, how far. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data_engineering.contract.reasons import LAST_KNOWN_ZONE
from data_engineering.trips.zones import BOROUGH_OF, BOROUGHS

MONTHS = 3
"""How many earlier months history is made of, at most."""

PAIRS = {
    "zone_pair": pl.Int32(),
    "trips": pl.Int32(),
    "median_minutes": pl.Float32(),
    "median_miles": pl.Float32(),
}
"""Columns of a month's pairs.parquet: one row a pair of zones that has trips."""

PLACE = "pair_place"
"""The column that says where a pair stands among all pairs; see `place`."""

_LOOKED_UP = {
    "pair_trips": pl.Int32(),
    "pair_median_minutes": pl.Float32(),
    "pair_median_miles": pl.Float32(),
}

_DRAWN = 20
"""A pair of so many trips lies half way between its own median and its boroughs'."""

_ZONES = LAST_KNOWN_ZONE
_BINS = 32
_SLOTS = _ZONES * _ZONES * _BINS
_MINUTES, _MILES = (1.0, 60.0), (0.1, 100.0)


class PairCounts:
    """Counts a month's kept trips by pair and by coarse duration and distance.

    Medians come from these counts, within a bin by straight line; bins are an eighth (of the
    duration) and a quarter (of the distance) wide. So a month of any size is held in the same
    memory.
    """

    def __init__(self) -> None:
        self._counts = [np.zeros(_SLOTS, np.int32) for _ in range(2)]

    def add(self, kept: pl.DataFrame) -> None:
        """Count a batch of kept trips."""
        slot = (kept["pickup_zone"].to_numpy().astype(np.intp) - 1) * _ZONES
        slot += kept["dropoff_zone"].to_numpy()
        slot = (slot - 1) * _BINS
        ways = (("duration_minutes", _MINUTES), ("trip_distance_miles", _MILES))
        for counts, (name, ends) in zip(self._counts, ways, strict=True):
            np.add.at(counts, slot + _bins(kept[name].to_numpy(), ends), np.int32(1))

    def table(self) -> pl.DataFrame:
        """Return the month's `PAIRS`."""
        minutes, miles = (np.reshape(each, (-1, _BINS)) for each in self._counts)
        trips = minutes.sum(axis=1, dtype=np.int64)
        (there,) = trips.nonzero()
        return pl.DataFrame(
            {
                "zone_pair": (there // _ZONES + 1) * 1000 + there % _ZONES + 1,
                "trips": trips[there],
                "median_minutes": _medians(minutes[there], _MINUTES),
                "median_miles": _medians(miles[there], _MILES),
            }
        ).cast(PAIRS)  # type: ignore[arg-type]


def _bins(values: NDArray[np.float64], ends: tuple[float, float]) -> NDArray[np.int32]:
    """Return the bin of each value; bins grow with the value."""
    low, high = ends
    scale = np.log(np.maximum(values.astype(np.float32), low) / low)
    scale *= _BINS / np.log(high / low)
    return np.minimum(scale.astype(np.int32), _BINS - 1)


def _medians(counts: NDArray[np.int32], ends: tuple[float, float]) -> NDArray[np.float64]:
    """Return the median of each row of counts in bins."""
    edges = np.geomspace(*ends, _BINS + 1)
    upto = counts.cumsum(axis=1, dtype=np.int64)
    half = upto[:, -1:] / 2
    place = (upto < half).sum(axis=1)
    rows = np.arange(len(counts))
    inside = counts[rows, place]
    before = upto[rows, place] - inside
    share = (half[:, 0] - before) / np.maximum(inside, 1)
    median: NDArray[np.float64] = edges[place] + share * (edges[place + 1] - edges[place])
    return median


@dataclass(frozen=True)
class PairHistory:
    """Looks pairs up in what earlier months hold; without any, all is null.

    Its table has a row for each of all pairs, in the order of their places.
    """

    table: pl.DataFrame | None = None

    @classmethod
    def of_months(cls, months: Sequence[pl.DataFrame]) -> PairHistory:
        """Put the `PAIRS` of earlier months together.

        A pair's median over months is the mean of theirs by trips. It is drawn to the median of
        its two boroughs' pairs, the more the fewer trips it has.
        """
        if not months:
            return cls()
        trips = pl.col("trips")
        medians = ("median_minutes", "median_miles")
        pairs = (
            pl.concat(months)
            .group_by("zone_pair")
            .agg(trips.sum(), *((pl.col(m) * trips).sum() / trips.sum() for m in medians))
        )
        boroughs = pl.Series([BOROUGHS.index(BOROUGH_OF[zone]) for zone in range(1, _ZONES + 1)])
        places = pl.int_range(_ZONES * _ZONES, eager=True)
        pickup, dropoff = places // _ZONES, places % _ZONES
        everything = pl.DataFrame(
            {
                "zone_pair": ((pickup + 1) * 1000 + dropoff + 1).cast(pl.Int32),
                "boroughs": boroughs[pickup] * len(BOROUGHS) + boroughs[dropoff],
            }
        )
        known = everything.join(
            pairs, on="zone_pair", how="left", maintain_order="left"
        ).with_columns(trips.fill_null(0))
        weighed = {m: (pl.col(m) * trips).sum() / trips.sum() for m in medians}
        overall = known.select(**weighed).row(0, named=True)
        drawn = known.with_columns(
            (
                (pl.col(m).fill_null(0) * trips + _DRAWN * weighed[m].over("boroughs").fill_nan(
                    overall[m])) / (trips + _DRAWN)
            ).alias(f"pair_{m}")
            for m in medians
        )  # fmt: skip
        return cls(
            drawn.select(
                "zone_pair",
                trips.cast(pl.Int32).alias("pair_trips"),
                pl.col("pair_median_minutes", "pair_median_miles").cast(pl.Float32),
            )
        )

    @cached_property
    def looked_up(self) -> list[pl.Expr]:
        """What history says of the pair whose place is in the column PLACE."""
        if self.table is None:
            return [pl.lit(None, dtype).alias(name) for name, dtype in _LOOKED_UP.items()]
        return [pl.lit(self.table[name]).gather(PLACE).alias(name) for name in _LOOKED_UP]


def place(pickup: pl.Expr, dropoff: pl.Expr) -> pl.Expr:
    """Return which of all pairs it is, from 0 on, by zones counted from 0; null where one is."""
    return (pickup * _ZONES + dropoff).alias(PLACE)

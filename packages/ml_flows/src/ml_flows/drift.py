"""Has the world moved since the training? Pure: distributions in, figures out.

Data drift: the trips come from elsewhere (zones, hours, durations). Concept drift: the same kind of
trip takes another time, so that the model errs otherwise than it did on later trips of its own
months that it had not been fitted on. Where the same month of the year before is there, what it
shows too is season, not drift.

Every value counts: zone pairs are not merged into "other", where most of them would hide. Rare
values make every figure large by chance alone, so what chance makes of two samples of one
population is drawn and taken off before a level is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr
from scipy.stats import wasserstein_distance

from ml_flows.evaluation import TARGET, Errors, Floats
from ml_flows.settings import DRIFT

_ORDERED = ("hour", TARGET)  # a week has no beginning
_ERROR_BIN = 0.5  # minutes
_DRAWS = 30  # of two samples of one population

Level = Literal["stable", "moderate", "large", "not judged"]
STABLE: Level = "stable"
NOT_JUDGED: Level = "not judged"
LEVELS: tuple[Level, ...] = ("stable", "moderate", "large")
Limits = Mapping[str, Any]
"""Config `drift`."""
Counts = npt.NDArray[np.int64]


class Distribution(TypedDict):
    """How often each value occurs. ordered: distances between values mean something."""

    ordered: bool
    values: npt.NDArray[np.float64]
    counts: Counts


class Reference(TypedDict):
    """How a model erred on some trips."""

    errors: Errors
    distribution: Distribution


Statistics = dict[str, Distribution]
"""By feature."""


def describe(trips: pl.LazyFrame | pl.DataFrame) -> Statistics:
    """The distributions of what the model sees and of the durations (whole minutes)."""
    pair = pl.col("pickup_zone").cast(pl.Int64) * 1000 + pl.col("dropoff_zone").cast(pl.Int64)
    features = {
        "pickup_zone": pl.col("pickup_zone"),
        "dropoff_zone": pl.col("dropoff_zone"),
        "zone_pair": pair,
        "hour": pl.col("pickup_at").dt.hour(),
        "weekday": pl.col("weekday"),
        TARGET: pl.col(TARGET).floor(),
    }
    counted = pl.collect_all(
        [_counted(trips.lazy(), feature) for feature in features.values()], engine="streaming"
    )
    return {
        name: _distribution(table, ordered=name in _ORDERED)
        for name, table in zip(features, counted, strict=True)
    }


def distribution(values: Floats, *, ordered: bool) -> Distribution:
    """Count the values."""
    found, counts = np.unique(values, return_counts=True)
    return Distribution(ordered=ordered, values=found, counts=counts.astype(np.int64))


def reference(trips: pl.LazyFrame, predicted: str) -> Reference:
    """How a model errs on trips that it was not fitted on.

    Args:
        predicted: the column that holds its predictions.
    """
    off = pl.col(predicted).cast(pl.Float64) - pl.col(TARGET).cast(pl.Float64)
    whole, counted = pl.collect_all(
        [
            trips.select(
                rmse=(off**2).mean().sqrt(), mae=off.abs().mean(), bias=off.mean(), rows=pl.len()
            ),
            _counted(trips, (off / _ERROR_BIN).round() * _ERROR_BIN),
        ],
        engine="streaming",
    )
    row = {name: float("nan") if v is None else v for name, v in whole.row(0, named=True).items()}
    return Reference(
        errors=Errors(rmse=row["rmse"], mae=row["mae"], bias=row["bias"], rows=int(row["rows"])),
        distribution=_distribution(counted, ordered=True),
    )


def data_drift(
    before: Statistics,
    now: Statistics,
    limits: Limits = DRIFT,
    last_year: Statistics | None = None,
) -> dict[str, dict[str, Any]]:
    """Compare the training's statistics with a new month's.

    Args:
        last_year: of the same month a year before, where it is there.

    Returns:
        by feature: psi, psi_noise (what chance alone makes of so many rows), level; for ordered
        features ks (0 to 1) and wasserstein (in the feature's unit), for others jensen_shannon
        (0 to 1), unseen (share of rows with a value that the training did not have) and
        unseen_noise. With last_year: last_year_psi, and the level is the milder of both.
    """
    found = {name: _compared(then, now[name], limits) for name, then in before.items()}
    for name, figure in found.items() if last_year else ():
        season = _compared((last_year or {})[name], now[name], limits)
        figure["last_year_psi"] = season["psi"]
        figure["level"] = _milder(figure["level"], season["level"])
    return found


def concept_drift(
    before: Reference,
    now: Reference,
    limits: Limits = DRIFT,
    *,
    learned_from: bool = False,
    last_year: Reference | None = None,
) -> dict[str, Any]:
    """Compare how the model errs on a new month with how it erred on its own months.

    Args:
        learned_from: the model has seen this month's durations: its errors tell nothing.
        last_year: how it errs on the same month a year before, where it is there.

    Returns:
        rmse, mae, bias, rows of both (the reference's as reference_*), rmse_ratio, bias_shift, ks
        and wasserstein (minutes) between the distributions of errors, level. With last_year:
        last_year_rmse, last_year_bias, and the level is the milder of both comparisons.
    """
    values, old, new = _aligned(before["distribution"], now["distribution"])
    then = before["errors"]
    figures: dict[str, Any] = {
        **{f"reference_{name}": value for name, value in then.items()},
        **now["errors"],
        "rmse_ratio": now["errors"]["rmse"] / then["rmse"],
        "bias_shift": now["errors"]["bias"] - then["bias"],
        "ks": _ks(old, new),
        "wasserstein": float(wasserstein_distance(values, values, old, new)),
        "level": _concept_level(then, now["errors"], limits),
    }
    if last_year:
        season = last_year["errors"]
        figures |= {"last_year_rmse": season["rmse"], "last_year_bias": season["bias"]}
        figures["level"] = _milder(figures["level"], _concept_level(season, now["errors"], limits))
    if learned_from:
        figures["level"] = NOT_JUDGED
    return figures


def _compared(then: Distribution, now: Distribution, limits: Limits) -> dict[str, Any]:
    values, old, new = _aligned(then, now)
    noise = _noise(old, new, ordered=then["ordered"])
    psi = _psi(old, new)
    figure: dict[str, Any] = {"psi": psi, "psi_noise": noise["psi"]}
    levels = [_level(psi - noise["psi"], limits["psi"])]
    if then["ordered"]:
        figure["ks"] = _ks(old, new)
        figure["wasserstein"] = float(wasserstein_distance(values, values, old, new))
    else:
        figure["jensen_shannon"] = float(jensenshannon(old, new, base=2))
        figure["unseen"] = _unseen(old, new)
        figure["unseen_noise"] = noise["unseen"]
        levels.append(_level(figure["unseen"] - noise["unseen"], limits["unseen"]))
    enough = min(old.sum(), new.sum()) >= limits["min_rows"]
    figure["level"] = max(levels, key=LEVELS.index) if enough else NOT_JUDGED
    return figure


def _concept_level(then: Errors, now: Errors, limits: Limits) -> Level:
    if min(then["rows"], now["rows"]) < limits["min_rows"]:
        return NOT_JUDGED
    # A bias between none and the one that was there before is no drift: the model errs less.
    low, high = min(0.0, then["bias"]), max(0.0, then["bias"])
    outside = max(low - now["bias"], now["bias"] - high, 0.0)
    levels = (
        _level(now["rmse"] / then["rmse"], limits["rmse_ratio"]),
        _level(outside / then["rmse"], limits["bias"]),
    )
    return max(levels, key=LEVELS.index)


def _counted(trips: pl.LazyFrame, feature: pl.Expr) -> pl.LazyFrame:
    return (
        trips.select(value=feature.cast(pl.Float64))
        .group_by("value")
        .agg(count=pl.len())
        .sort("value")
    )


def _distribution(counted: pl.DataFrame, *, ordered: bool) -> Distribution:
    return Distribution(
        ordered=ordered,
        values=counted["value"].to_numpy(),
        counts=counted["count"].cast(pl.Int64).to_numpy(),
    )


def _aligned(first: Distribution, second: Distribution) -> tuple[Floats, Counts, Counts]:
    """The values of either, in order, and how often each distribution has them."""
    values = np.union1d(first["values"], second["values"])
    aligned = []
    for each in (first, second):
        counts = np.zeros(len(values), dtype=np.int64)
        counts[np.searchsorted(values, each["values"])] = each["counts"]
        aligned.append(counts)
    return values, aligned[0], aligned[1]


def _psi(old: Counts, new: Counts) -> float:
    """Population stability index."""
    # Half a row more in each bin: an empty bin is rare, not impossible.
    p = (old + 0.5) / (old.sum() + 0.5 * len(old))
    q = (new + 0.5) / (new.sum() + 0.5 * len(new))
    return float(rel_entr(p, q).sum() + rel_entr(q, p).sum())


def _unseen(old: Counts, new: Counts) -> float:
    """Share of the new rows whose value the old ones do not have."""
    return float(new[old == 0].sum() / max(1, new.sum()))


def _noise(old: Counts, new: Counts, *, ordered: bool) -> dict[str, float]:
    """What chance makes of PSI and unseen values between samples of one population, on average."""
    # Both shuffled together and dealt out again: a permutation, which keeps rare values as rare.
    pooled = old + new
    dealt = np.random.default_rng(0).multivariate_hypergeometric(
        pooled, int(old.sum()), size=_DRAWS, method="marginals"
    )
    drawn = [(each, pooled - each) for each in dealt]
    return {
        "psi": float(np.mean([_psi(*each) for each in drawn])),
        "unseen": 0.0 if ordered else float(np.mean([_unseen(*each) for each in drawn])),
    }


# SciPy's ks_2samp wants every row; here are counts.
def _ks(old: Counts, new: Counts) -> float:
    """Largest distance between the two cumulative shares."""
    return float(np.abs(np.cumsum(old) / old.sum() - np.cumsum(new) / new.sum()).max())


def _level(value: float, limits: Sequence[float]) -> Level:
    moderate, large = limits
    return "large" if value > large else "moderate" if value > moderate else "stable"


def _milder(first: Level, second: Level) -> Level:
    """The lower level; one that was not judged says nothing."""
    judged = [each for each in (first, second) if each != NOT_JUDGED]
    return min(judged, key=LEVELS.index) if judged else NOT_JUDGED

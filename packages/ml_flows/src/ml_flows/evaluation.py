"""How far predictions are off, where, and whether one model is better than another. Pure, and free
of imports that take time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
import polars as pl

from ml_flows.contract import BOROUGH, MILES

Floats = npt.NDArray[np.float64]

TARGET = "duration_minutes"
SHORTEST, LONGEST = 1.0, 60.0
"""Minutes; the datasets hold no other trips, so no prediction leaves this range."""

_MILES = (1, 2, 4, 8, 16)  # where bands of distance begin and end
_BANDS = (
    f"under {_MILES[0]} mile",
    *(f"{low} to {high} miles" for low, high in pairwise(_MILES)),
    f"{_MILES[-1]} miles and more",
)
_RESAMPLES = 2000


class Errors(TypedDict):
    """In minutes; bias is predicted minus actual. NaN where there are no rows."""

    rmse: float
    mae: float
    bias: float
    rows: int


class Lead(TypedDict):
    """By how many minutes of RMSE one model is better than a rival on the same trips, with an
    interval; negative where it is worse."""

    rival: str
    rmse: float
    lead: float
    low: float
    high: float


def minutes(trips: pl.DataFrame) -> Floats:
    """(trips,) actual durations in minutes."""
    return trips[TARGET].cast(pl.Float64).to_numpy()


def errors(actual: Floats, predicted: Floats) -> Errors:
    """RMSE, MAE and bias of predictions."""
    if not len(actual):
        return Errors(rmse=float("nan"), mae=float("nan"), bias=float("nan"), rows=0)
    off = predicted - actual
    return Errors(
        rmse=float(np.sqrt(np.mean(off**2))),
        mae=float(np.mean(np.abs(off))),
        bias=float(np.mean(off)),
        rows=len(off),
    )


def errors_by(keys: npt.NDArray[Any], actual: Floats, predicted: Floats) -> dict[Any, Errors]:
    """Errors of the rows of each key, in the keys' order."""
    return {
        key: errors(actual[keys == key], predicted[keys == key]) for key in np.unique(keys).tolist()
    }


def slices(trips: pl.DataFrame, predicted: Floats) -> dict[str, dict[Any, Errors]]:
    """Errors by hour of pickup, borough of pickup and band of metered distance.

    A column that the data does not have is left out.
    """
    actual = minutes(trips)
    found = {"hour": errors_by(trips["pickup_at"].dt.hour().to_numpy(), actual, predicted)}
    if _has(trips, BOROUGH):
        found["borough"] = errors_by(trips[BOROUGH].to_numpy(), actual, predicted)
    if _has(trips, MILES):
        band = np.searchsorted(_MILES, trips[MILES].to_numpy(), side="right")
        by = errors_by(band, actual, predicted)
        found["distance"] = {_BANDS[at]: each for at, each in by.items()}
    return found


def _has(trips: pl.DataFrame, column: str) -> bool:
    return column in trips.columns and not trips[column].null_count()


def days_of(trips: pl.DataFrame) -> npt.NDArray[Any]:
    """(trips,) the day of each pickup."""
    return trips["pickup_at"].dt.date().to_numpy()


def lead(
    rival: str,
    days: npt.NDArray[Any],
    actual: Floats,
    ours: Floats,
    theirs: Floats,
    *,
    confidence: float,
    seed: int = 0,
) -> Lead:
    """Compare two models on the same trips.

    The interval is a bootstrap over whole days: trips of one day share weather and traffic, so that
    single trips would make it too narrow.

    Args:
        days: (trips,) the day of each trip. ours, theirs: (trips,) predicted minutes.
        confidence: of the interval, 0 to 1.
    """
    _, of = np.unique(days, return_inverse=True)
    ours_by, theirs_by = (np.bincount(of, (each - actual) ** 2) for each in (ours, theirs))
    trips = np.bincount(of)
    drawn = np.random.default_rng(seed).integers(0, len(trips), (_RESAMPLES, len(trips)))
    rows = trips[drawn].sum(axis=1)
    leads = np.sqrt(theirs_by[drawn].sum(axis=1) / rows) - np.sqrt(
        ours_by[drawn].sum(axis=1) / rows
    )
    tail = (1 - confidence) / 2
    low, high = np.quantile(leads, [tail, 1 - tail])
    rmse = float(np.sqrt(theirs_by.sum() / len(actual)))
    return Lead(
        rival=rival,
        rmse=rmse,
        lead=rmse - float(np.sqrt(ours_by.sum() / len(actual))),
        low=float(low),
        high=float(high),
    )


def compare(
    actual: Floats, predicted: Floats, baseline: Floats, *, rows_train: int
) -> dict[str, float | int]:
    """Two models on the same held-out trips.

    Args:
        predicted, baseline: (trips,) minutes that the model and its baseline say.

    Returns:
        rmse, mae, bias and the same as baseline_* (minutes), improvement_percent (of the RMSE),
        rows_train, rows_test.
    """
    ours, theirs = errors(actual, predicted), errors(actual, baseline)
    return {
        "rmse": ours["rmse"],
        "mae": ours["mae"],
        "bias": ours["bias"],
        "baseline_rmse": theirs["rmse"],
        "baseline_mae": theirs["mae"],
        "baseline_bias": theirs["bias"],
        "improvement_percent": 100 * (1 - ours["rmse"] / theirs["rmse"]),
        "rows_train": rows_train,
        "rows_test": ours["rows"],
    }


def honest(
    inside: Errors, outside: pl.DataFrame | None, predicted: Floats | None
) -> dict[str, Errors] | None:
    """The error on all trips that would have been asked for, not only on those of 1 to 60 minutes.

    Args:
        inside: errors on the trips of 1 to 60 minutes.
        outside: the others, as dataset.read_outside() gives them. predicted: their predictions.

    Returns:
        "asked": trips up to 3 hours; "with_beyond": longer ones too; None without a quarantine.
    """
    if outside is None or predicted is None:
        return None
    actual, near = minutes(outside), ~outside["beyond"].to_numpy()
    asked = _pooled(inside, errors(actual[near], predicted[near]))
    return {
        "asked": asked,
        "with_beyond": _pooled(inside, errors(actual, predicted)),
    }


def _pooled(first: Errors, second: Errors) -> Errors:
    if not second["rows"]:
        return first
    rows = first["rows"] + second["rows"]

    def mean(one: float, other: float) -> float:
        return (one * first["rows"] + other * second["rows"]) / rows

    return Errors(
        rmse=mean(first["rmse"] ** 2, second["rmse"] ** 2) ** 0.5,
        mae=mean(first["mae"], second["mae"]),
        bias=mean(first["bias"], second["bias"]),
        rows=rows,
    )

"""How far predictions are off. Pure, and free of imports that take time."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]

TARGET = "duration_minutes"
SHORTEST, LONGEST = 1.0, 60.0
"""Minutes; the datasets hold no other trips, so no prediction leaves this range."""


class Errors(TypedDict):
    """In minutes; bias is predicted minus actual. NaN where there are no rows."""

    rmse: float
    mae: float
    bias: float
    rows: int


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
        key.item(): errors(actual[keys == key], predicted[keys == key]) for key in np.unique(keys)
    }


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

"""Quantiles of a trip's duration around the model's mean, calibrated on later trips than both were
fitted on. Pure.

Split conformal prediction with normalised errors: a second model says how far off the mean usually
is for such a trip (the spread). Each quantile is mean + spread * offset, where the offset is that
quantile of (actual - mean) / spread on the calibration trips, so that quantiles never cross and as
many trips lie below each as it says, as long as trips stay as they were. Measured on green 2024-01
against conformalised quantile regression: the 10-90 % interval is a tenth narrower at its coverage.
"""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline

from ml_flows.evaluation import LONGEST, SHORTEST, Floats, minutes
from ml_flows.model import design_to_fit, raw
from ml_flows.model import predict as predict_mean

QUANTILES = (0.1, 0.5, 0.9)
_NARROWEST = 0.25  # minutes: no trip's spread is taken for less


class Intervals(TypedDict):
    """The model of the spread, and the offset of each quantile of QUANTILES in spreads."""

    spread: Pipeline
    offsets: list[float]


def fit(
    mean: Pipeline, trips: pl.DataFrame, calibration: pl.DataFrame, *, seed: int = 0
) -> Intervals:
    """Learn the spread on the trips that the mean was fitted on; calibrate on later ones."""
    booster = HistGradientBoostingRegressor(max_iter=60, random_state=seed)
    made = design_to_fit(trips, seed)
    off = np.abs(minutes(trips) - mean.predict(made))
    features = mean.named_steps["features"]
    booster.fit(features.transform(made), off)
    spread = Pipeline([("features", features), ("trees", booster)])
    scores = (minutes(calibration) - raw(mean, calibration)) / _spread(spread, calibration)
    return Intervals(spread=spread, offsets=[_offset(scores, level) for level in QUANTILES])


def predict(intervals: Intervals, mean: Any, trips: pl.DataFrame) -> Floats:
    """(trips, 3) minutes: the quantiles of QUANTILES, ascending, within SHORTEST and LONGEST."""
    middle, spread = raw(mean, trips), _spread(intervals["spread"], trips)
    quantiles = middle[:, None] + spread[:, None] * np.asarray(intervals["offsets"])
    clipped: Floats = np.clip(quantiles, SHORTEST, LONGEST)
    return clipped


def with_mean(intervals: Intervals, mean: Any, trips: pl.DataFrame) -> Floats:
    """(trips, 4) minutes: the mean, then the quantiles of QUANTILES."""
    return np.column_stack([predict_mean(mean, trips), predict(intervals, mean, trips)])


def coverage(actual: Floats, quantiles: Floats) -> dict[str, float]:
    """What share of the trips lies below each quantile and within the outer two; mean width."""
    below = {
        f"below_{round(100 * level)}": float(np.mean(actual <= column))
        for level, column in zip(QUANTILES, quantiles.T, strict=True)
    }
    within = (actual >= quantiles[:, 0]) & (actual <= quantiles[:, -1])
    return {
        "coverage": float(np.mean(within)),
        "width": float(np.mean(quantiles[:, -1] - quantiles[:, 0])),
        **below,
    }


def _spread(model: Pipeline, trips: pl.DataFrame) -> Floats:
    spread: Floats = np.maximum(raw(model, trips), _NARROWEST)
    return spread


def _offset(scores: Floats, level: float) -> float:
    """A quantile that holds for the next trip too: rank n + 1 of n, on the side away from 0.5."""
    count = len(scores)
    upper = level >= 0.5
    rank = level * (count + 1) / count if upper else (level * (count + 1) - 1) / count
    return float(
        np.quantile(scores, min(1.0, max(0.0, rank)), method="higher" if upper else "lower")
    )

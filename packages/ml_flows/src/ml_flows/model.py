"""Models of trip duration from what is known before the trip. Pure: frames in, models and numbers
out.

Metered distance, fare and everything else that only the end of a trip tells stays out. Distance
comes in by experience: how long trips between two zones took in the training months.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, TargetEncoder

from ml_flows.metrics import LONGEST, SHORTEST, Floats, errors, minutes

KNOWN_BEFORE: dict[str, str] = {
    "pickup_zone": "pickup zone",
    "dropoff_zone": "dropoff zone",
    "pickup_at": "time of day",
    "weekday": "weekday",
}
"""The columns that predictions are made of, and how people call them."""

_PART_OF_DAY_BEGINS = (6, 10, 15, 19, 22)  # hours: night before, morning, noon, rush, evening, late

_SLICE = 200_000  # rows predicted at once, so that a month of 3 million needs no more memory

# Columns of the design matrix.
_PICKUP, _DROPOFF, _MINUTE, _WEEKDAY, _PAIR, _ROAD, _PAIR_AT = range(7)
_EXPERIENCED = [_PICKUP, _DROPOFF, _PAIR, _ROAD, _PAIR_AT]
_PLAIN = [_PICKUP, _DROPOFF, _MINUTE, _WEEKDAY]


def design(trips: pl.DataFrame) -> Floats:
    """What is known before each trip, as numbers.

    Returns:
        (trips, 7): pickup zone, dropoff zone, minute of the day, weekday, and as keys: the pair
        of zones, the pair in either direction, the pair in this part of the day.
    """
    pickup, dropoff = pl.col("pickup_zone").cast(pl.Int64), pl.col("dropoff_zone").cast(pl.Int64)
    hour = pl.col("pickup_at").dt.hour().cast(pl.Int64)
    part = pl.sum_horizontal([(hour >= begin).cast(pl.Int64) for begin in _PART_OF_DAY_BEGINS])
    pair = pickup * 1000 + dropoff
    columns = trips.select(
        pickup=pickup,
        dropoff=dropoff,
        minute=hour * 60 + pl.col("pickup_at").dt.minute().cast(pl.Int64),
        weekday=pl.col("weekday").cast(pl.Int64),
        pair=pair,
        road=pl.min_horizontal(pickup, dropoff) * 1000 + pl.max_horizontal(pickup, dropoff),
        pair_at=pair * 10 + part,
    )
    matrix: Floats = columns.cast(pl.Float64).to_numpy()
    return matrix


def split_validation(
    trips: pl.DataFrame, *, share: float = 0.1, seed: int = 0
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Random rows apart: (to fit, to validate), the same for the same seed."""
    chosen = np.random.default_rng(seed).random(trips.height) < share
    return trips.filter(pl.Series(~chosen)), trips.filter(pl.Series(chosen))


def fit_baseline(trips: pl.DataFrame) -> Pipeline:
    """Linear regression on pickup and dropoff zone, one-hot and sparse."""
    zones = ColumnTransformer(
        [("zones", OneHotEncoder(handle_unknown="ignore"), [_PICKUP, _DROPOFF])],
        sparse_threshold=1.0,
    )
    return make_pipeline(zones, LinearRegression()).fit(design(trips), minutes(trips))


def fit_gradient_boosting(
    trips: pl.DataFrame, validation: pl.DataFrame, *, seed: int = 0
) -> Pipeline:
    """Gradient boosting on zones, time and experience with the pair of zones.

    Experience is the mean duration by key, shrunk towards the mean of all where trips are few;
    for the rows to fit it comes from other rows (cross-fitting), so that no row sees its own
    duration. Trees are added until the error on the validation rows no longer falls.
    """
    features = ColumnTransformer(
        [
            (
                "experience",
                TargetEncoder(
                    target_type="continuous", cv=KFold(5, shuffle=True, random_state=seed)
                ),
                _EXPERIENCED,
            ),
            ("plain", "passthrough", _PLAIN),
        ]
    )
    trees = HistGradientBoostingRegressor(
        learning_rate=0.06,
        max_iter=600,
        early_stopping=True,
        n_iter_no_change=15,
        random_state=seed,
    )
    matrix = features.fit_transform(design(trips), minutes(trips))
    trees.fit(
        matrix,
        minutes(trips),
        X_val=features.transform(design(validation)),
        y_val=minutes(validation),
    )
    return Pipeline([("features", features), ("trees", trees)])


def predict(model: Any, trips: pl.DataFrame) -> Floats:
    """(trips,) predicted durations in minutes, within SHORTEST and LONGEST."""
    parts = [model.predict(design(part)) for part in trips.iter_slices(_SLICE)]
    predicted: Floats = np.clip(np.concatenate(parts), SHORTEST, LONGEST)
    return predicted


def importance(
    model: Any, trips: pl.DataFrame, *, rows: int = 5000, seed: int = 0
) -> dict[str, float]:
    """How many minutes the RMSE grows when one column of KNOWN_BEFORE is shuffled, largest first.

    Args:
        rows: how many trips, drawn at random, to measure it on.
    """
    random = np.random.default_rng(seed)
    sample = trips[np.sort(random.permutation(trips.height)[:rows])]
    actual = minutes(sample)
    whole = errors(actual, predict(model, sample))["rmse"]
    growth = {}
    for column, name in KNOWN_BEFORE.items():
        order = random.permutation(sample.height)
        shuffled = sample.with_columns(sample[column][order].alias(column))
        growth[name] = errors(actual, predict(model, shuffled))["rmse"] - whole
    return dict(sorted(growth.items(), key=lambda item: -item[1]))

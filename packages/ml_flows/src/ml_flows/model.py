"""Models of trip duration from what is known before the trip. Pure: frames in, models and numbers
out.

Metered distance, fare and everything else that only the end of a trip tells stays out. Distance
comes in by experience, how long trips between two zones took in the training months, and by
history, how long and far they were in the months before, where the data team published those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import TargetEncoder

from ml_flows.contract import HISTORY, HOLIDAY
from ml_flows.evaluation import LONGEST, SHORTEST, Floats, errors, minutes
from ml_flows.search import Values

KNOWN_BEFORE: dict[str, str] = {
    "pickup_zone": "pickup zone",
    "dropoff_zone": "dropoff zone",
    "pickup_at": "time of day",
    "weekday": "weekday",
    HOLIDAY: "holiday",
    HISTORY[0]: "pair's trips before",
    HISTORY[1]: "pair's minutes before",
    HISTORY[2]: "pair's miles before",
}
"""The columns that predictions are made of, and how people call them."""

FEWEST = 50
"""Trips that a model can be fitted on at least; each fifth of them is encoded by the others."""

_PART_OF_DAY_BEGINS = (6, 10, 15, 19, 22)  # hours: night before, morning, noon, rush, evening, late
# Share of the trips to fit on. Measured: 0.01 min worse on months with history, and 0.6 min better
# on such without, than with none.
_WITHOUT_HISTORY = 0.1
_PATIENCE = 15  # trees without a smaller error on the validation trips

# Columns of the design matrix.
PICKUP, DROPOFF, MINUTE, WEEKDAY, HOLIDAY_COLUMN, PAIR, ROAD, PAIR_AT = range(8)
HISTORY_COLUMNS = (8, 9, 10)
EXPERIENCED = (PICKUP, DROPOFF, PAIR, ROAD, PAIR_AT)
PLAIN = (PICKUP, DROPOFF, MINUTE, WEEKDAY, HOLIDAY_COLUMN, *HISTORY_COLUMNS)


class Fitted(NamedTuple):
    """A model, its trees, and its RMSE on the validation trips, minutes."""

    model: Pipeline
    trees: int
    rmse: float


def design(trips: pl.DataFrame) -> Floats:
    """What is known before each trip, as numbers.

    Returns:
        (trips, 11): pickup zone, dropoff zone, minute of the day, weekday, holiday; as keys: the
        pair of zones, the pair in either direction, the pair in this part of the day; what the
        months before say of the pair. NaN where the data does not say.
    """
    pickup, dropoff = pl.col("pickup_zone").cast(pl.Int64), pl.col("dropoff_zone").cast(pl.Int64)
    hour = pl.col("pickup_at").dt.hour().cast(pl.Int64)
    part = pl.sum_horizontal([(hour >= begin).cast(pl.Int64) for begin in _PART_OF_DAY_BEGINS])
    pair = pickup * 1000 + dropoff
    before = [pl.col(name).cast(pl.Float64).fill_null(float("nan")) for name in HISTORY]
    columns = trips.select(
        pickup=pickup,
        dropoff=dropoff,
        minute=hour * 60 + pl.col("pickup_at").dt.minute().cast(pl.Int64),
        weekday=pl.col("weekday").cast(pl.Int64),
        holiday=pl.col(HOLIDAY).cast(pl.Float64).fill_null(float("nan")),
        pair=pair,
        road=pl.min_horizontal(pickup, dropoff) * 1000 + pl.max_horizontal(pickup, dropoff),
        pair_at=pair * 10 + part,
        **dict(zip(HISTORY, before, strict=True)),
    )
    matrix: Floats = columns.cast(pl.Float64).to_numpy()
    return matrix


def design_to_fit(trips: pl.DataFrame, seed: int) -> Floats:
    """As design(), but some trips without history: months without one are to be predicted too."""
    made = design(trips)
    without = np.random.default_rng(seed).random(len(made)) < _WITHOUT_HISTORY
    made[without, HISTORY_COLUMNS[0] :] = np.nan
    return made


def fit(
    trips: pl.DataFrame, validation: pl.DataFrame, values: Values, *, trees: int, seed: int = 0
) -> Fitted:
    """Gradient boosting until the error on later trips no longer falls.

    Args:
        validation: trips after those to learn from.
        values: of scikit-learn's HistGradientBoostingRegressor. trees: at most so many.
    """
    made = design_to_fit(trips, seed)
    features = transformer(made, seed)
    matrix = features.fit_transform(made, minutes(trips))
    booster = HistGradientBoostingRegressor(
        max_iter=trees,
        early_stopping=True,
        n_iter_no_change=_PATIENCE,
        random_state=seed,
        **values,
    )
    booster.fit(
        matrix,
        minutes(trips),
        X_val=features.transform(design(validation)),
        y_val=minutes(validation),
    )
    model = Pipeline([("features", features), ("trees", booster)])
    found = errors(minutes(validation), predict(model, validation))["rmse"]
    return Fitted(model, int(booster.n_iter_), found)


def refit(trips: pl.DataFrame, values: Values, *, trees: int, seed: int = 0) -> Pipeline:
    """The same model on all trips to learn from, with the trees that fit() stopped at.

    What is nearest in time to the trips to predict is worth more than a later stop.
    """
    booster = HistGradientBoostingRegressor(
        max_iter=trees, early_stopping=False, random_state=seed, **values
    )
    made = design_to_fit(trips, seed)
    model = Pipeline([("features", transformer(made, seed)), ("trees", booster)])
    return model.fit(made, minutes(trips))


def transformer(
    made: Floats,
    seed: int,
    *,
    experienced: Sequence[int] = EXPERIENCED,
    plain: Sequence[int] = PLAIN,
) -> ColumnTransformer:
    """Experience with zones and pairs, beside zones and time as they are.

    Experience is the mean duration by key, shrunk towards the mean of all where trips are few; for
    the rows to fit it comes from other rows (cross-fitting), so that no row sees its own duration.

    Args:
        made: the design matrix to fit on; what it does not say of any trip is left out.
    """
    folds = KFold(5, shuffle=True, random_state=seed)
    encoder = TargetEncoder(target_type="continuous", cv=folds)
    said = [column for column in plain if not np.isnan(made[:, column]).all()]
    return ColumnTransformer(
        [("experience", encoder, list(experienced)), ("plain", "passthrough", said)]
    )


def raw(model: Any, trips: pl.DataFrame) -> Floats:
    """(trips,) what a fitted pipeline says; one fitted before there was history sees none."""
    if trips.is_empty():  # such as the quarantine of a month without too short or too long ones
        return np.zeros(0)
    said: Floats = model.predict(design(trips)[:, : model.n_features_in_])
    return said


def predict(model: Any, trips: pl.DataFrame) -> Floats:
    """(trips,) predicted durations in minutes, within SHORTEST and LONGEST."""
    predicted: Floats = np.clip(raw(model, trips), SHORTEST, LONGEST)
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
        if sample[column].null_count() == sample.height:
            continue
        order = random.permutation(sample.height)
        shuffled = sample.with_columns(sample[column][order].alias(column))
        growth[name] = errors(actual, predict(model, shuffled))["rmse"] - whole
    return dict(sorted(growth.items(), key=lambda item: -item[1]))

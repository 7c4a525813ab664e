"""What both flows share: where data lies, what a step may use, and the defaults of their Configs.
Imported on every start: keep it free of imports that take time."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ml_flows.errors import InputError

ROOT = os.environ.get("TRIP_DATA_ROOT", "s3://trip-data").rstrip("/")
FEATURES_ROOT = f"{ROOT}/features"
PREDICTIONS_ROOT = f"{ROOT}/predictions"

MODELS = "metaflow://TrainTripDurationFlow"
"""The models as an asset of Airflow; each is an artifact of a training run below it."""

CORES = 1
"""Of each step. On a busy machine two OpenMP threads wait for each other: gradient boosting that
takes 3 s with one thread took 130 s with two (2 cores, load 17)."""

BASE_MEMORY = 512
"""MB of each step that holds no month in memory; they use about 350."""

TRIPS_PER_MB = 1500
"""Of a step that holds its trips; measured with 3 million, see the README."""

THREADS = {
    name: str(CORES)
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "POLARS_MAX_THREADS",
    )
}
"""Environment that keeps the libraries to CORES; read when they are imported."""

SIZE = {"rows": 500_000}
"""Config `size`. rows: trips that a training holds at most; its steps ask for memory by it."""

SEARCH: dict[str, Any] = {
    "space": {
        "max_leaf_nodes": [127, 63, 255],
        "min_samples_leaf": [40, 20],
        "l2_regularization": [5.0, 0.0],
        "max_features": [0.6, 1.0],
        "learning_rate": [0.06, 0.1],
    },
    "candidates": 3,
    "trees": 600,
    "minutes": 30,
    "validation_days": 7,
}
"""Config `search`. space: values of scikit-learn's HistGradientBoostingRegressor, the ones to begin
with first. The budget: candidates tried, trees of each, minutes of each. validation_days: the last
days of the training months, which stop the trees, choose, and calibrate the intervals."""

PROMOTION: dict[str, Any] = {"min_rows": 1000, "min_days": 7, "confidence": 0.95}
"""Config `promotion`. A model is promoted when its lead over every rival is above 0 with this
confidence, on at least so many held-out trips of so many days."""

DRIFT: dict[str, Any] = {
    "min_rows": 1000,
    "psi": [0.1, 0.25],
    "unseen": [0.02, 0.1],
    "rmse_ratio": [1.1, 1.25],
    "bias": [0.1, 0.25],
}
"""Config `drift`. min_rows: fewer trips, and nothing is judged. The others: above the first figure
moderate, above the second large. psi: the field's usual limits. unseen: share of trips whose value
the training did not have, beyond what chance makes; of such trips the model knows nothing.
rmse_ratio: RMSE over that in training. bias: how far it left what lies between none and that in
training, as a share of the RMSE in training."""


def memory(size: Mapping[str, Any]) -> int:
    """MB that a step asks for which holds as many trips as Config `size` says."""
    return BASE_MEMORY + int(checked(size, SIZE, "size")["rows"]) // TRIPS_PER_MB


def checked(given: Mapping[str, Any], defaults: Mapping[str, Any], config: str) -> dict[str, Any]:
    """A Config's values over its defaults: what is not given stays.

    Raises:
        InputError: a key that there is not, or a value of another kind than the default.
    """
    values = dict(defaults)
    for key, value in given.items():
        if key not in defaults:
            raise InputError(
                f"Config {config}: there is no {key!r}. It has {', '.join(sorted(defaults))}."
            )
        wanted = defaults[key]
        kinds = (int, float) if isinstance(wanted, float) else (type(wanted),)
        plain = dict(value) if isinstance(value, Mapping) else value
        plain = list(plain) if isinstance(plain, tuple) else plain
        if isinstance(plain, bool) or not isinstance(plain, kinds):
            raise InputError(
                f"Config {config}: {key} is {plain!r}, not a value such as {wanted!r}."
            )
        if isinstance(plain, int | float) and plain < 0:
            raise InputError(f"Config {config}: {key} is {plain}; it cannot be below 0.")
        values[key] = plain
    return values


def check_size(rows: int, size: Mapping[str, Any]) -> None:
    """Raise InputError for more trips than the flow's steps have memory for."""
    most = int(checked(size, SIZE, "size")["rows"])
    if rows > most:
        raise InputError(
            f"{rows:,} trips are more than the {most:,} that this flow's memory is for. Lower "
            f"max_rows, or run or export it with --config-value size '{{\"rows\": {rows}}}'."
        )


def check_numbers(*, max_rows: int, seed: int) -> None:
    """Raise InputError for parameters that no sampling and no random generator can use."""
    if max_rows < 0:
        raise InputError(f"max_rows is {max_rows}: give a number of trips, or 0 for all of them.")
    if not 0 <= seed < 2**32:
        raise InputError(f"seed is {seed}: give a whole number from 0 to {2**32 - 1}.")

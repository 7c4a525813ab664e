"""Rules that a model must beat to be worth having. Pure: frames in, minutes out.

The best of them is what anybody would do without a model: how long did trips between these two
zones take at this hour?
"""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from ml_flows.evaluation import LONGEST, SHORTEST, TARGET, Floats, minutes
from ml_flows.model import DROPOFF, MINUTE, PICKUP, WEEKDAY, design

MEAN, LINEAR, RULE = "mean", "linear regression", "zone pair by hour"
NAMES = (MEAN, LINEAR, RULE)

_RARE = 5  # trips: with fewer, the median of an hour says less than that of all hours
_ENDS = ("pickup_zone", "dropoff_zone")


class Rule(TypedDict):
    """Median minutes by zone pair and hour, by zone pair, by pickup zone, and of all trips."""

    by_hour: pl.DataFrame
    by_pair: pl.DataFrame
    by_pickup: pl.DataFrame
    all: float


Baselines = dict[str, Any]
"""What each of NAMES was fitted to."""


def fit(trips: pl.DataFrame) -> Baselines:
    """Fit all of them."""
    return {MEAN: float(minutes(trips).mean()), LINEAR: _linear(trips), RULE: _rule(trips)}


def predict(fitted: Baselines, trips: pl.DataFrame) -> dict[str, Floats]:
    """(trips,) minutes by the name of the baseline, within SHORTEST and LONGEST."""
    found = {
        MEAN: np.full(trips.height, fitted[MEAN]),
        LINEAR: fitted[LINEAR].predict(_with_hour(trips)),
        RULE: _look_up(fitted[RULE], trips),
    }
    return {name: np.clip(each, SHORTEST, LONGEST) for name, each in found.items()}


def _linear(trips: pl.DataFrame) -> Pipeline:
    """Ridge on zones, hour and weekday, one-hot and sparse."""
    columns = [PICKUP, DROPOFF, MINUTE, WEEKDAY]
    kinds = OneHotEncoder(handle_unknown="ignore")
    encode = ColumnTransformer([("kinds", kinds, columns)], sparse_threshold=1.0)
    # In doubles and to a fixed tolerance: the same on every machine.
    ridge = Ridge(alpha=1.0, solver="lsqr", tol=1e-6)
    return make_pipeline(encode, ridge).fit(_with_hour(trips), minutes(trips))


def _with_hour(trips: pl.DataFrame) -> Floats:
    matrix = design(trips)
    matrix = matrix.copy()
    matrix[:, MINUTE] //= 60
    return matrix


def _rule(trips: pl.DataFrame) -> Rule:
    found = trips.select(*_ENDS, hour=pl.col("pickup_at").dt.hour(), minutes=pl.col(TARGET))
    median = pl.col("minutes").median()
    return Rule(
        by_hour=found.group_by(*_ENDS, "hour", maintain_order=True)
        .agg(at_hour=median, count=pl.len())
        .filter(pl.col("count") >= _RARE)
        .drop("count"),
        by_pair=found.group_by(*_ENDS, maintain_order=True).agg(pair=median),
        by_pickup=found.group_by(_ENDS[0], maintain_order=True).agg(pickup=median),
        all=float(np.median(minutes(trips))),
    )


def _look_up(rule: Rule, trips: pl.DataFrame) -> Floats:
    found = trips.select(*_ENDS, hour=pl.col("pickup_at").dt.hour())
    for table in (rule["by_hour"], rule["by_pair"], rule["by_pickup"]):
        keys = [name for name in table.columns if name in found.columns]
        found = found.join(table, on=keys, how="left", maintain_order="left")
    said = pl.coalesce("at_hour", "pair", "pickup", pl.lit(rule["all"]))
    return found.select(said.cast(pl.Float64)).to_series().to_numpy()

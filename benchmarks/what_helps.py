"""How much each feature helps the model on a month, or days, that it has not seen.

    uv run --all-packages benchmarks/what_helps.py FOLDER

FOLDER holds TLC's files of both months, green 2023-12 and 2024-01 unless asked for others. The
flow's own model is fitted without each of its features in turn, and with each column that the data
team publishes beside them. First by months: fitted on the first, tested on the second. Then by
days, as the history of a pair of zones is there from the second month on: fitted on all but its
last week, tested on that. The same seed, trees and trips each time; minutes of RMSE.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
from ml_flows import contract, model
from ml_flows.evaluation import LONGEST, SHORTEST, errors, minutes
from ml_flows.settings import SEARCH
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from two_months import asked_for, features_of

TREES, SEED = 200, 0
WITHOUT = {
    "time of day": [model.MINUTE, model.PAIR_AT],
    "weekday": [model.WEEKDAY],
    "holiday": [model.HOLIDAY_COLUMN],
    "pair's experience": [model.PAIR, model.ROAD, model.PAIR_AT],
    "pair in either direction": [model.ROAD],
    "pair in this part of the day": [model.PAIR_AT],
    "zones as numbers": [],
}
BESIDE = {
    "airports": ["airport_pickup", "airport_dropoff"],
    "rush hour": ["rush_hour"],
    "boroughs": ["pickup_borough", "dropoff_borough"],
    "day of month": ["day_of_month"],
    "passengers": ["passenger_count"],
}
KEYS = [model.PAIR, model.ROAD, model.PAIR_AT]
HISTORY = list(model.HISTORY_COLUMNS)


def rmse(
    fitted: pl.DataFrame,
    tested: pl.DataFrame,
    *,
    without: list[int] | None = None,
    beside: list[str] | None = None,
    zones: bool = True,
) -> float:
    """Fit on some trips, and return the RMSE on others."""

    def matrix(trips: pl.DataFrame) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        made = model.design_to_fit(trips, SEED) if trips is fitted else model.design(trips)
        if not beside:
            return made
        more = trips.select(
            pl.col(name).cast(pl.Categorical).to_physical() if trips[name].dtype == pl.String
            else pl.col(name)
            for name in beside
        )  # fmt: skip
        return np.hstack([made, more.cast(pl.Float64).to_numpy()])

    off, made = without or [], matrix(fitted)
    plain = [each for each in model.PLAIN if each not in off][0 if zones else 2 :]
    columns = model.transformer(
        made,
        SEED,
        experienced=[each for each in model.EXPERIENCED if each not in off],
        plain=[*plain, *range(model.design(fitted.head(1)).shape[1], made.shape[1])],
    )
    first = {name: of[0] for name, of in SEARCH["space"].items()}
    trees = HistGradientBoostingRegressor(
        max_iter=TREES, early_stopping=False, random_state=SEED, **first
    )
    pipeline = make_pipeline(columns, trees).fit(made, minutes(fitted))
    said = np.clip(pipeline.predict(matrix(tested)), SHORTEST, LONGEST)
    return errors(minutes(tested), said)["rmse"]


def table(fitted: pl.DataFrame, tested: pl.DataFrame, *, history: bool) -> None:
    """Print what each feature does."""
    whole = rmse(fitted, tested)
    print(
        f"\n| {fitted.height:,} trips, tested on {tested.height:,} | RMSE | change |\n|---|---|---|"
    )
    print(f"| the flow's features | {whole:.3f} | |", flush=True)

    def line(what: str, found: float) -> None:
        print(f"| {what} | {found:.3f} | {found - whole:+.3f} |", flush=True)

    if history:
        line("without the pair's history", rmse(fitted, tested, without=HISTORY))
        line("without its experience", rmse(fitted, tested, without=KEYS))
        line("without both", rmse(fitted, tested, without=HISTORY + KEYS))
        gone = tested.with_columns(
            pl.lit(None, pl.Float32).alias(name) for name in contract.HISTORY
        )
        line("history in the trips fitted on alone, none in those tested", rmse(fitted, gone))
        return
    for what, columns in WITHOUT.items():
        found = rmse(fitted, tested, without=columns, zones=what != "zones as numbers")
        line(f"without {what}", found)
    for what, names in BESIDE.items():
        line(f"and {what}", rmse(fitted, tested, beside=names))


def main() -> None:
    """Print both tables."""
    before, now = features_of(asked_for(__doc__))
    table(before, now, history=False)
    last: pl.Series = now["pickup_at"].dt.truncate("1d")
    week = last.max() - timedelta(days=6)  # type: ignore[operator]
    table(now.filter(last < week), now.filter(last >= week), history=True)


if __name__ == "__main__":
    main()

"""How much each feature helps the model on a month, or days, that it has not seen.

    uv run --all-packages benchmarks/what_helps.py FOLDER

FOLDER holds TLC's files of both months, green 2023-12 and 2024-01 unless asked for others. The
flow's own model is fitted without each of its features in turn, and with each column that the data
team publishes beside them. First by months: fitted on the first, tested on the second. Then by
days, as the history of a pair of zones is there from the second month on: fitted on all but its
last week, tested on that. The same seed, trees and trips each time; minutes of RMSE.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
from drift import trips_of
from ml_flows import model
from ml_flows.evaluation import LONGEST, SHORTEST, errors, minutes
from ml_flows.settings import SEARCH
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import TargetEncoder

TREES, SEED = 200, 0
EXPERIENCE = [model.PICKUP, model.DROPOFF, model.PAIR, model.ROAD, model.PAIR_AT]
PLAIN = [model.PICKUP, model.DROPOFF, model.MINUTE, model.WEEKDAY, model.HOLIDAY_COLUMN]
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
HISTORY = ["pair_trips", "pair_median_minutes", "pair_median_miles"]


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
        more = trips.select(
            pl.col(name).cast(pl.Categorical).to_physical() if trips[name].dtype == pl.String
            else pl.col(name)
            for name in beside or []
        )  # fmt: skip
        return np.hstack([model.design(trips), more.cast(pl.Float64).to_numpy()])

    off = without or []
    plain = [each for each in PLAIN if each not in off][0 if zones else 2 :]
    folds = KFold(5, shuffle=True, random_state=SEED)
    columns = ColumnTransformer(
        [
            (
                "experience",
                TargetEncoder(target_type="continuous", cv=folds),
                [each for each in EXPERIENCE if each not in off],
            ),
            ("plain", "passthrough", [*plain, *range(8, 8 + len(beside or []))]),
        ]
    )
    first = {name: of[0] for name, of in SEARCH["space"].items()}
    trees = HistGradientBoostingRegressor(
        max_iter=TREES, early_stopping=False, random_state=SEED, **first
    )
    pipeline = make_pipeline(columns, trees).fit(matrix(fitted), minutes(fitted))
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
        line("and the pair's history", rmse(fitted, tested, beside=HISTORY))
        only = [model.PAIR, model.ROAD, model.PAIR_AT]
        line("history in place of experience", rmse(fitted, tested, without=only, beside=HISTORY))
        line("neither", rmse(fitted, tested, without=only))
        return
    for what, columns in WITHOUT.items():
        found = rmse(fitted, tested, without=columns, zones=what != "zones as numbers")
        line(f"without {what}", found)
    for what, names in BESIDE.items():
        line(f"and {what}", rmse(fitted, tested, beside=names))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cab", default="green")
    parser.add_argument("--months", nargs=2, default=["2023-12", "2024-01"], metavar="MONTH")
    given = parser.parse_args()
    logging.disable()
    with tempfile.TemporaryDirectory() as root:
        before, now = (trips_of(given.folder, given.cab, each, root) for each in given.months)
    table(before, now, history=False)
    last: pl.Series = now["pickup_at"].dt.truncate("1d")
    week = last.max() - timedelta(days=6)  # type: ignore[operator]
    table(now.filter(last < week), now.filter(last >= week), history=True)


if __name__ == "__main__":
    main()

"""A month's predictions, read a piece at a time, beside what the training left behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ml_flows import dataset, drift, publish
from ml_flows.contract import Manifest
from ml_flows.drift import Reference, Statistics
from ml_flows.evaluation import LONGEST, TARGET, Errors, Floats
from ml_flows.publish import PREDICTED, QUANTILES

CELLS = 48
"""Of the picture of predicted against actual minutes, along each side."""


class Watch(NamedTuple):
    """What a month looks like.

    Args:
        statistics: its distributions by feature. drift: data_drift() of them. errors: of the model
            now. concept_drift: concept_drift() of them. by_day: errors by day of the month.
        coverage: share of trips within the 10-90 % interval, and below each quantile.
        cells: (CELLS, CELLS) trips by actual and predicted minutes.
        last_year: whether the same month of the year before was there to compare.
    """

    statistics: Statistics
    drift: dict[str, dict[str, Any]]
    errors: Reference
    concept_drift: dict[str, Any]
    by_day: dict[int, Errors]
    coverage: dict[str, float]
    cells: Floats
    last_year: bool


def watch(
    predictions: Manifest,
    before: Statistics,
    reference: Reference,
    limits: drift.Limits,
    *,
    last_year: Manifest | None,
    predict: Callable[[], Callable[[pl.DataFrame], Floats]],
) -> Watch:
    """Compare a published month with the training, and with the same month a year before.

    Args:
        predictions: manifest of the predictions. before, reference: what the training left.
        last_year: the features of that month, if they are published. predict: gives what predicts
            them, (trips,) minutes.
    """
    with publish.opened(predictions) as trips:
        statistics = drift.describe(trips)
        errors = drift.reference(trips, PREDICTED)
        by_day = _by_day(trips)
        coverage = _coverage(trips)
        cells = _cells(trips)
    season = _season(last_year, predict) if last_year else None
    return Watch(
        statistics=statistics,
        drift=drift.data_drift(before, statistics, limits, season[0] if season else None),
        errors=errors,
        concept_drift=drift.concept_drift(
            reference,
            errors,
            limits,
            learned_from=predictions["time_order"] == "learned from",
            last_year=season[1] if season else None,
        ),
        by_day=by_day,
        coverage=coverage,
        cells=cells,
        last_year=last_year is not None,
    )


def _season(
    features: Manifest, predict: Callable[[], Callable[[pl.DataFrame], Floats]]
) -> tuple[Statistics, Reference]:
    """The same month a year before: its distributions, and how the model errs on it."""
    said = predict()
    with dataset.opened(features) as path:
        trips = dataset.scan(path, str(features["uri"]))
        statistics = drift.describe(trips)
        parts = [
            batch.select(TARGET, pl.Series(PREDICTED, said(batch), dtype=pl.Float32))
            for batch in trips.collect_batches(chunk_size=publish.BATCH, engine="streaming")
            if batch.height
        ]
    return statistics, drift.reference(pl.concat(parts).lazy(), PREDICTED)


def _by_day(trips: pl.LazyFrame) -> dict[int, Errors]:
    off = pl.col(PREDICTED).cast(pl.Float64) - pl.col(TARGET)
    found = (
        trips.group_by(day=pl.col("pickup_at").dt.day())
        .agg(rmse=(off**2).mean().sqrt(), mae=off.abs().mean(), bias=off.mean(), rows=pl.len())
        .sort("day")
        .collect(engine="streaming")
    )
    return {
        row["day"]: Errors(rmse=row["rmse"], mae=row["mae"], bias=row["bias"], rows=row["rows"])
        for row in found.iter_rows(named=True)
    }


def _coverage(trips: pl.LazyFrame) -> dict[str, float]:
    low, middle, high = (pl.col(name) for name in QUANTILES)
    actual = pl.col(TARGET)
    found = trips.select(
        coverage=actual.is_between(low, high).mean(),
        width=(high - low).mean(),
        below_10=(actual <= low).mean(),
        below_50=(actual <= middle).mean(),
        below_90=(actual <= high).mean(),
    ).collect(engine="streaming")
    return {name: float(value) for name, value in found.row(0, named=True).items()}


def _cells(trips: pl.LazyFrame) -> Floats:
    def cell(column: str) -> pl.Expr:
        return (pl.col(column) * (CELLS / LONGEST)).floor().clip(0, CELLS - 1).cast(pl.Int32)

    found = (
        trips.group_by(actual=cell(TARGET), predicted=cell(PREDICTED))
        .agg(trips=pl.len())
        .collect(engine="streaming")
    )
    cells: Floats = np.zeros((CELLS, CELLS))
    cells[found["actual"].to_numpy(), found["predicted"].to_numpy()] = found["trips"].to_numpy()
    return cells

"""Every chart is Vega-Lite as its schema has it, and JSON as a browser reads it."""

from __future__ import annotations

import json
from typing import Any

import altair
import numpy as np
import polars as pl
import pytest
from ml_flows import charts, drift, drift_charts, settings, vega
from ml_flows.evaluation import Lead, errors, errors_by, minutes

from .conftest import trips

LABELS = ("training", "2024-01")


@pytest.fixture(scope="module")
def specs() -> dict[str, dict[str, Any]]:
    then, now = trips("2023-12", 3000), trips("2024-01", 3000)
    before, after = drift.describe(then.lazy()), drift.describe(now.lazy())
    actual = minutes(now)
    predicted = np.clip(actual + np.random.default_rng(0).normal(0, 5, len(actual)), 1, 60)
    hours = now["pickup_at"].dt.hour().to_numpy()
    days = now["pickup_at"].dt.day().to_numpy()
    said = now.with_columns(said=pl.Series(predicted)).lazy()
    off = drift.reference(said, "said")["distribution"]
    by_day = errors_by(days, actual, predicted)
    return {
        "errors by hour": charts.errors_by_hour(
            errors_by(hours, actual, predicted), errors_by(hours, actual, actual)
        ),
        "predicted against actual": charts.predicted_against_actual(
            charts.cells(actual, predicted, 48)
        ),
        "leads": charts.leads([Lead(rival="mean", rmse=9.0, lead=3.0, low=-0.1, high=4.0)]),
        "calibration": charts.calibration({0.1: 0.11, 0.5: 0.49, 0.9: 0.9}),
        "errors by distance": charts.errors_by("distance", errors_by(hours, actual, predicted)),
        "alarm": vega.alarm("MADE UP"),
        "bars": charts.bars({"pickup zone": 8.5, "weekday": 0.1}, "minutes"),
        "psi bars": drift_charts.psi_bars(
            drift.data_drift(before, after, settings.DRIFT), settings.DRIFT["psi"]
        ),
        "errors": drift_charts.error_distributions(off, off, LABELS),
        "errors by day": drift_charts.errors_by_day(by_day, errors(actual, predicted)),
        "errors by day, no reference": drift_charts.errors_by_day(
            by_day, errors(np.array([]), np.array([]))
        ),
        **{name: drift_charts.distribution(name, before, after, LABELS) for name in before},
    }


def test_every_chart_is_valid_vega_lite(specs: dict[str, dict[str, Any]]) -> None:
    for name, spec in specs.items():
        altair.Chart.from_dict(spec)  # raises SchemaValidationError
        json.dumps(spec, allow_nan=False)
        assert spec["height"] > 0, name


def test_every_trip_is_in_a_cell_of_predicted_against_actual(
    specs: dict[str, dict[str, Any]],
) -> None:
    cells = specs["predicted against actual"]["data"]["values"]
    assert sum(cell["trips"] for cell in cells) == 3000
    for cell in cells:
        assert cell["actual"] < cell["actual_to"]
        assert cell["predicted"] < cell["predicted_to"]


def test_shares_of_a_distribution_add_up(specs: dict[str, dict[str, Any]]) -> None:
    for label in LABELS:
        rows = specs["hour"]["data"]["values"]
        assert sum(row["percent"] for row in rows if row["of"] == label) == pytest.approx(100)

"""The model sees only what is known before the trip, is the same for the same seed, and is worth
having on the real months."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest
from ml_flows import metrics, model, settings
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from .conftest import real_trips, trips


@pytest.fixture(scope="module", autouse=True)
def cores() -> Iterator[None]:
    """As many threads as the flows' steps have: more of them wait for each other."""
    with threadpool_limits(settings.CORES):
        yield


@pytest.fixture(scope="module")
def months() -> tuple[pl.DataFrame, pl.DataFrame]:
    return trips("2023-12", 6000), trips("2024-01", 4000)


@pytest.fixture(scope="module")
def trained(months: tuple[pl.DataFrame, pl.DataFrame]) -> Any:
    return _fit(months[0])


def _fit(table: pl.DataFrame, seed: int = 0) -> Any:
    return model.fit_gradient_boosting(*model.split_validation(table, seed=seed), seed=seed)


def test_what_only_the_end_of_a_trip_tells_changes_no_prediction(
    months: tuple[pl.DataFrame, pl.DataFrame], trained: Any
) -> None:
    month = months[1]
    altered = month.with_columns(
        trip_distance_miles=pl.lit(99.0), fare_dollars=pl.lit(500.0), duration_minutes=pl.lit(1.0)
    )
    assert np.array_equal(model.predict(trained, month), model.predict(trained, altered))


def test_same_seed_same_model_and_another_seed_another(
    months: tuple[pl.DataFrame, pl.DataFrame], trained: Any
) -> None:
    predicted = model.predict(trained, months[1])
    assert np.array_equal(predicted, model.predict(_fit(months[0]), months[1]))
    assert not np.array_equal(predicted, model.predict(_fit(months[0], seed=1), months[1]))


def test_zones_never_seen_get_a_plausible_prediction(
    months: tuple[pl.DataFrame, pl.DataFrame], trained: Any
) -> None:
    elsewhere = months[1].with_columns(
        pickup_zone=pl.lit(250, pl.Int16), dropoff_zone=pl.lit(251, pl.Int16)
    )
    for each in (trained, model.fit_baseline(months[0])):
        predicted = model.predict(each, elsewhere)
        assert np.isfinite(predicted).all()
        assert predicted.min() >= metrics.SHORTEST
        assert predicted.max() <= metrics.LONGEST


def test_slices_change_nothing(
    months: tuple[pl.DataFrame, pl.DataFrame], trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model.predict(trained, months[1])
    monkeypatch.setattr(model, "_SLICE", 999)
    assert np.array_equal(whole, model.predict(trained, months[1]))


def test_validation_rows_are_apart_from_those_to_fit(
    months: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    table = months[0].with_row_index("row")
    fit, validation = model.split_validation(table, share=0.1)
    assert set(fit["row"]) | set(validation["row"]) == set(table["row"])
    assert not set(fit["row"]) & set(validation["row"])
    assert 0.07 < validation.height / table.height < 0.13


def test_errors_are_those_of_the_textbook() -> None:
    found = metrics.errors(np.array([10.0, 20.0]), np.array([13.0, 16.0]))
    assert found == {"rmse": pytest.approx(12.5**0.5), "mae": 3.5, "bias": -0.5, "rows": 2}


def test_importance_puts_zones_before_the_weekday(
    months: tuple[pl.DataFrame, pl.DataFrame], trained: Any
) -> None:
    # In the made-up city the weekday does not matter.
    found = model.importance(trained, months[1])
    assert list(found)[-1] == "weekday"
    assert found["pickup zone"] > 1
    assert abs(found["weekday"]) < 0.1


def test_on_real_months_boosting_is_20_percent_better_than_linear_regression() -> None:
    december, january = real_trips("2023-12"), real_trips("2024-01")
    actual = metrics.minutes(january)
    found = metrics.compare(
        actual,
        model.predict(_fit(december), january),
        model.predict(model.fit_baseline(december), january),
        rows_train=december.height,
    )
    assert found["improvement_percent"] >= 20
    assert found["rmse"] < 5.59  # measured for boosting before this model was made
    assert found["mae"] < 3.72

"""The model sees only what is known before the trip, is the same for the same seed, and is worth
having on the real months."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from ml_flows import baselines, contest, contract, evaluation, intervals, model, settings
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from .conftest import real_outside, real_trips, trips


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


VALUES = {name: values[0] for name, values in settings.SEARCH["space"].items()}


def _parts(table: pl.DataFrame, days: int = 7) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The trips before a month's last days, and those of them."""
    last = pl.col("pickup_at") >= pl.lit(datetime(2023, 12, 32 - days))
    return table.filter(~last), table.filter(last)


def _fit(table: pl.DataFrame, seed: int = 0) -> Any:
    return model.fit(*_parts(table), VALUES, trees=200, seed=seed).model


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
    simple = baselines.predict(baselines.fit(months[0]), elsewhere)
    for predicted in (model.predict(trained, elsewhere), *simple.values()):
        assert np.isfinite(predicted).all()
        assert predicted.min() >= evaluation.SHORTEST
        assert predicted.max() <= evaluation.LONGEST


def test_history_of_the_pair_helps_where_it_is_there_and_is_not_missed_where_it_is_not() -> None:
    """In this city a pair's earlier trips say all; the training months alone have few trips."""

    def with_history(table: pl.DataFrame) -> pl.DataFrame:
        known = trips("2023-11", 60_000).group_by("pickup_zone", "dropoff_zone").agg(
            pair_trips=pl.len().cast(pl.Float32),
            pair_median_minutes=pl.col("duration_minutes").median(),
            pair_median_miles=pl.col("trip_distance_miles").median(),
        )  # fmt: skip
        keys = ["pickup_zone", "dropoff_zone"]
        return table.drop(contract.HISTORY).join(known, on=keys, how="left", maintain_order="left")

    december, january = trips("2023-12", 2000), trips("2024-01", 2000)
    plain = model.refit(december, VALUES, trees=80)
    with_it = model.refit(with_history(december), VALUES, trees=80)

    def rmse(fitted: Any, asked: pl.DataFrame) -> float:
        said = model.predict(fitted, asked)
        return evaluation.errors(evaluation.minutes(asked), said)["rmse"]

    assert rmse(with_it, with_history(january)) < 0.9 * rmse(plain, january)
    assert rmse(with_it, january) < 1.2 * rmse(plain, january)
    assert rmse(plain, with_history(january)) == rmse(plain, january)
    assert "pair's minutes before" in model.importance(with_it, with_history(january))
    assert "pair's minutes before" not in model.importance(plain, january)


def test_a_champion_that_was_fitted_before_there_was_history_predicts_on() -> None:
    table = trips("2023-12", 300)
    made = model.design(table)[:, :8]
    columns = model.transformer(made, 0, plain=[c for c in model.PLAIN if c < made.shape[1]])
    fitted = make_pipeline(columns, HistGradientBoostingRegressor(max_iter=5))
    fitted.fit(made, evaluation.minutes(table))
    assert np.array_equal(model.raw(fitted, table), fitted.predict(made))


def test_a_month_without_trips_outside_the_range_has_the_same_honest_error() -> None:
    table = trips("2023-12", 300)
    fitted = model.refit(table, VALUES, trees=5)
    none = table.head(0).with_columns(beyond=pl.lit(False))
    inside = evaluation.errors(evaluation.minutes(table), model.predict(fitted, table))
    found = evaluation.honest(inside, none, model.predict(fitted, none))
    assert found == {"asked": inside, "with_beyond": inside}


def test_errors_are_those_of_the_textbook() -> None:
    found = evaluation.errors(np.array([10.0, 20.0]), np.array([13.0, 16.0]))
    assert found == {"rmse": pytest.approx(12.5**0.5), "mae": 3.5, "bias": -0.5, "rows": 2}


def test_importance_puts_zones_before_the_weekday(
    months: tuple[pl.DataFrame, pl.DataFrame], trained: Any
) -> None:
    # In the made-up city the weekday does not matter.
    found = model.importance(trained, months[1])
    assert set(list(found)[-2:]) == {"weekday", "holiday"}
    assert found["pickup zone"] > 1
    assert abs(found["weekday"]) < 0.1


def test_the_rule_says_the_median_of_zone_pair_and_hour_and_falls_back_where_trips_are_rare() -> (
    None
):
    table = (
        trips("2023-12", 600)
        .head(12)
        .with_columns(
            pickup_at=pl.datetime(2023, 12, 5, pl.Series([8] * 6 + [9] * 2 + [8] * 4)),
            pickup_zone=pl.Series([1] * 8 + [2] * 4, dtype=pl.Int16),
            dropoff_zone=pl.lit(3, pl.Int16),
            duration_minutes=pl.Series([10.0] * 6 + [30.0] * 2 + [50.0] * 4, dtype=pl.Float32),
        )
    )
    asked = table[[0, 6, 8]].extend(table[[0]].with_columns(pickup_zone=pl.lit(9, pl.Int16)))
    said = baselines.predict(baselines.fit(table), asked)
    # Enough trips at 8; two at 9 fall back on the pair; so do four; a zone never seen on them all.
    assert said[baselines.RULE].tolist() == [10.0, 10.0, 50.0, 20.0]
    assert said[baselines.MEAN].tolist() == pytest.approx([table["duration_minutes"].mean()] * 4)


def test_quantiles_ascend_and_hold_what_they_promise(
    months: tuple[pl.DataFrame, pl.DataFrame], trained: Any
) -> None:
    within = intervals.fit(trained, *_parts(months[0]))
    quantiles = intervals.predict(within, trained, months[1])
    assert (np.diff(quantiles, axis=1) >= 0).all()
    found = intervals.coverage(evaluation.minutes(months[1]), quantiles)
    # A share of 4,000 trips, calibrated on 1,300 others.
    assert found["coverage"] == pytest.approx(0.8, abs=0.04)
    assert found["below_50"] == pytest.approx(0.5, abs=0.05)


def test_on_real_months_the_model_is_worth_having() -> None:
    december, january = real_trips("2023-12"), real_trips("2024-01")
    earlier, later = _parts(december)
    first = model.fit(earlier, later, VALUES, trees=600)
    found = contest.hold(
        model.refit(december, VALUES, trees=first.trees),
        intervals.fit(first.model, earlier, later),
        baselines.fit(december),
        None,
        january,
        real_outside("2024-01").with_columns(beyond=pl.col("duration_minutes") > 180),
        rules=settings.PROMOTION,
        rows_train=december.height,
    )
    assert found.decision["promoted"], found.decision["reasons"]
    assert found.metrics["rmse"] < 5.35  # measured before: early stopping on random rows
    assert found.metrics["mae"] < 3.72
    assert found.metrics["improvement_percent"] >= 20
    assert found.metrics["rmse"] < 0.86 * found.metrics["rule_rmse"]
    assert 0.78 <= found.metrics["coverage"] <= 0.82
    assert found.honest is not None
    assert found.honest["asked"]["rmse"] > found.metrics["rmse"] + 1
    assert sum(each["rows"] for each in found.slices["distance"].values()) == january.height

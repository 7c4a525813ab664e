"""Drift figures against SciPy's and hand-made numbers; injected shifts raise them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from ml_flows import drift
from ml_flows.evaluation import errors
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, wasserstein_distance

from .conftest import trips


def test_the_same_month_has_no_drift_at_all() -> None:
    statistics = drift.describe(trips("2023-12", 3000))
    for figures in drift.data_drift(statistics, statistics).values():
        assert figures["psi"] == pytest.approx(0)
        assert figures["level"] == "stable"


def test_another_month_of_the_same_city_is_stable() -> None:
    # 3000 rows in hundreds of zone pairs: what chance alone does may not be called drift.
    before, now = drift.describe(trips("2023-11", 3000)), drift.describe(trips("2023-12", 3000))
    assert {each["level"] for each in drift.data_drift(before, now).values()} == {"stable"}


@pytest.mark.parametrize(
    ("column", "shifted", "feature"),
    [
        ("pickup_zone", pl.lit(200, pl.Int16), "pickup_zone"),
        ("weekday", pl.lit(6, pl.Int8), "weekday"),
        ("pickup_at", pl.col("pickup_at").dt.offset_by("6h"), "hour"),
        ("duration_minutes", pl.col("duration_minutes") * 1.6, "duration_minutes"),
    ],
)
def test_an_injected_shift_raises_the_figures_of_its_feature(
    column: str, shifted: pl.Expr, feature: str
) -> None:
    month = trips("2023-12", 3000)
    moved = pl.when(pl.int_range(pl.len()) % 2 == 0).then(shifted).otherwise(column)
    before, now = drift.describe(month), drift.describe(month.with_columns(moved.alias(column)))
    found = drift.data_drift(before, now)
    assert found[feature]["psi"] > 0.1
    assert found[feature]["level"] != "stable"
    untouched = set(found) - {feature, "zone_pair"}
    assert all(found[name]["psi"] == pytest.approx(0) for name in untouched)


def test_distances_are_those_of_scipy() -> None:
    random = np.random.default_rng(1)
    old, new = random.integers(0, 24, 800), random.integers(4, 30, 500)
    figures = drift.data_drift(
        {"x": drift.distribution(old.astype(float), ordered=True)},
        {"x": drift.distribution(new.astype(float), ordered=True)},
    )["x"]
    assert figures["ks"] == pytest.approx(ks_2samp(old, new).statistic)
    assert figures["wasserstein"] == pytest.approx(wasserstein_distance(old, new))
    figures = drift.data_drift(
        {"x": drift.distribution(old.astype(float), ordered=False)},
        {"x": drift.distribution(new.astype(float), ordered=False)},
    )["x"]
    shares = [np.bincount(each, minlength=30) for each in (old, new)]
    assert figures["jensen_shannon"] == pytest.approx(jensenshannon(*shares, base=2))
    assert figures["unseen"] == pytest.approx((new > 23).mean())


def test_psi_is_that_of_the_textbook() -> None:
    old = np.repeat([0.0, 1.0], [50_000, 50_000])
    new = np.repeat([0.0, 1.0], [80_000, 20_000])
    found = drift.data_drift(
        {"x": drift.distribution(old, ordered=True)}, {"x": drift.distribution(new, ordered=True)}
    )["x"]
    assert found["psi"] == pytest.approx(
        0.3 * np.log(0.8 / 0.5) - 0.3 * np.log(0.2 / 0.5), rel=1e-3
    )
    assert found["level"] == "large"


def _reference(actual: np.ndarray, predicted: np.ndarray) -> drift.Reference:
    table = pl.DataFrame({"duration_minutes": actual, "said": predicted})
    return drift.reference(table.lazy(), "said")


@pytest.mark.parametrize(
    ("slower", "noisier", "level"), [(0.0, 1.0, "stable"), (0.0, 1.5, "large"), (2.0, 1.0, "large")]
)
def test_concept_drift_is_errors_that_grew_or_moved(
    slower: float, noisier: float, level: str
) -> None:
    random = np.random.default_rng(2)
    predicted = random.uniform(5, 40, 5000)
    then = _reference(predicted + random.normal(0, 4, 5000), predicted)
    now = _reference(predicted + random.normal(slower, 4 * noisier, 5000), predicted)
    found = drift.concept_drift(then, now)
    assert found["level"] == level
    assert found["bias_shift"] == pytest.approx(-slower, abs=0.3)
    assert found["rmse_ratio"] == pytest.approx(np.hypot(noisier, slower / 4), rel=0.05)
    assert found["wasserstein"] > (0.3 if level == "large" else 0)
    assert drift.concept_drift(then, now, learned_from=True)["level"] == "not judged"


def test_errors_that_are_those_of_last_year_are_season_and_no_drift() -> None:
    random = np.random.default_rng(3)
    predicted = random.uniform(5, 40, 5000)
    then, now, last_year = (
        _reference(predicted + random.normal(slower, 4, 5000), predicted)
        for slower in (0.0, 2.0, 2.1)
    )
    assert drift.concept_drift(then, now)["level"] == "large"
    found = drift.concept_drift(then, now, last_year=last_year)
    assert found["level"] == "stable"
    assert found["last_year_bias"] == pytest.approx(-2.1, abs=0.2)


def test_a_bias_that_shrank_is_no_drift_and_one_that_turned_is() -> None:
    random = np.random.default_rng(4)
    predicted = random.uniform(5, 40, 5000)
    then, shrunk, turned = (
        _reference(predicted + random.normal(slower, 4, 5000), predicted)
        for slower in (1.5, 0.2, -1.5)
    )
    assert drift.concept_drift(then, shrunk)["level"] == "stable"
    assert drift.concept_drift(then, turned)["level"] == "large"


def test_a_reference_is_what_numpy_says() -> None:
    random = np.random.default_rng(5)
    actual, predicted = random.uniform(1, 60, 500), random.uniform(1, 60, 500)
    found, said = _reference(actual, predicted)["errors"], errors(actual, predicted)
    assert dict(found) == pytest.approx(dict(said))


def test_data_that_moved_as_a_year_ago_is_season_and_no_drift() -> None:
    december = trips("2023-12", 3000)
    later = december.with_columns(pl.col("pickup_at").dt.offset_by("6h"))
    before, now = drift.describe(december), drift.describe(later)
    assert drift.data_drift(before, now)["hour"]["level"] != "stable"
    found = drift.data_drift(before, now, last_year=now)["hour"]
    assert found["level"] == "stable"
    assert found["last_year_psi"] == pytest.approx(0)


def test_most_trips_going_elsewhere_is_seen_though_each_pair_is_rare() -> None:
    # 44 % of the trips on 50 busy pairs stay as they were; the others go anywhere.
    random = np.random.default_rng(0)
    rows = 50_000
    busy = random.random(rows) < 0.44
    pickup = np.where(busy, random.integers(1, 51, rows), random.integers(60, 260, rows))
    near = np.where(busy, pickup, 60 + (pickup - 60 + random.integers(0, 10, rows)) % 200)
    far = near.copy()
    far[~busy] = random.permutation(near[~busy])
    then, now = (
        drift.distribution((pickup * 1000 + to).astype(float), ordered=False) for to in (near, far)
    )
    found = drift.data_drift({"zone_pair": then}, {"zone_pair": now})["zone_pair"]
    assert found["level"] == "large"
    assert found["unseen"] > 0.4
    # The same kind of trips again: as rare, and stable.
    again = drift.distribution(
        random.permutation(pickup * 1000 + near).astype(float), ordered=False
    )
    assert drift.data_drift({"x": then}, {"x": again})["x"]["level"] == "stable"


def test_values_that_the_training_did_not_have_are_part_of_the_level() -> None:
    random = np.random.default_rng(6)
    old = random.integers(1, 200, 20_000).astype(float)
    new = np.where(random.random(20_000) < 0.05, random.integers(300, 400, 20_000), old)
    found = drift.data_drift(
        {"zone": drift.distribution(old, ordered=False)},
        {"zone": drift.distribution(new, ordered=False)},
    )["zone"]
    assert found["unseen"] == pytest.approx(0.05, abs=0.01)
    assert found["level"] != "stable"


def test_too_few_trips_are_not_called_stable() -> None:
    few, many = drift.describe(trips("2023-12", 999)), drift.describe(trips("2023-12", 3000))
    for found in (drift.data_drift(few, many), drift.data_drift(many, few)):
        assert {each["level"] for each in found.values()} == {"not judged"}

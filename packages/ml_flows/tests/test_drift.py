"""Drift figures against SciPy's and hand-made numbers; injected shifts raise them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from ml_flows import drift
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


@pytest.mark.parametrize(
    ("slower", "noisier", "level"), [(0.0, 1.0, "stable"), (0.0, 1.5, "large"), (2.0, 1.0, "large")]
)
def test_concept_drift_is_errors_that_grew_or_moved(
    slower: float, noisier: float, level: str
) -> None:
    random = np.random.default_rng(2)
    predicted = random.uniform(5, 40, 5000)
    then = drift.reference(predicted + random.normal(0, 4, 5000), predicted)
    found = drift.concept_drift(
        then, predicted + random.normal(slower, 4 * noisier, 5000), predicted
    )
    assert found["level"] == level
    assert found["bias_shift"] == pytest.approx(-slower, abs=0.3)
    assert found["rmse_ratio"] == pytest.approx(np.hypot(noisier, slower / 4), rel=0.05)
    assert found["wasserstein"] > (0.3 if level == "large" else 0)

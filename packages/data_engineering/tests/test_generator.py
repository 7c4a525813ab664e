"""Generated months look like TLC's, are the same for the same seed, and are worth learning from."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from data_engineering.errors import UnavailableError
from data_engineering.sources.generator import CHUNK, generate
from data_engineering.storage.objects import local_files
from data_engineering.trips.tally import Tally

from .trips_files import made_of


def made(folder: Path, cab: str, month: str, rows: int = 20_000, seed: int = 0) -> Path:
    path = folder / f"{cab}-{month}-{rows}-{seed}.parquet"
    generate(path, cab, month, rows=rows, seed=seed)
    return path


def counted(path: Path, cab: str, month: str) -> tuple[Tally, pl.DataFrame]:
    of = made_of(path, path.with_suffix(""), cab, month)
    return of.tally, of.features


def test_the_seed_decides_every_byte_and_so_do_cab_and_month(tmp_path):
    asked = list(itertools.product(("green", "yellow"), ("2023-12", "2024-01"), (0, 1)))
    first = [made(tmp_path, cab, month, 1_000, seed).read_bytes() for cab, month, seed in asked]
    again = [made(tmp_path, cab, month, 1_000, seed).read_bytes() for cab, month, seed in asked]
    assert first == again
    assert len(set(first)) == len(first)


@pytest.mark.parametrize("rows", [1, 7, 999, 1_000, CHUNK + 1])
def test_as_many_rows_as_asked_for(tmp_path, rows):
    assert pq.read_metadata(made(tmp_path, "yellow", "2024-02", rows)).num_rows == rows


@pytest.mark.parametrize(
    ("cab", "month", "name"),
    [
        ("green", "2023-12", "green_tripdata_2023-12.parquet"),
        ("green", "2024-01", "green_tripdata_2024-01.parquet"),
        ("yellow", "2025-02", "yellow_tripdata_sample_2025-02.parquet"),
    ],
)
def test_columns_have_the_names_and_types_of_tlcs_file_of_that_month(
    tlc_file, tmp_path, cab, month, name
):
    theirs = pl.read_parquet_schema(tlc_file(name))
    ours = pl.read_parquet_schema(made(tmp_path, cab, month, 1_000))
    assert dict(ours) == dict(theirs)


@pytest.mark.parametrize("cab", ["green", "yellow"])
def test_every_kind_of_dirt_is_there_and_most_rows_are_clean(tmp_path, cab):
    counts, kept = counted(made(tmp_path, cab, "2024-01"), cab, "2024-01")
    copies = ("refund", "duplicate")
    assert all(n > 0 for name, n in counts.dirt.items() if name not in copies), counts.dirt
    assert all(n > 0 for name, n in counts.set_aside.items() if name not in copies)
    assert 0.88 < counts.rows_kept / counts.rows_read < 0.97
    assert kept["pickup_zone"].n_unique() > 150


def test_rush_hours_are_slow_and_full(tmp_path):
    _, kept = counted(made(tmp_path, "green", "2024-01", 60_000), "green", "2024-01")
    work = kept.filter(pl.col("weekday") < 5)
    miles, minutes = pl.col("trip_distance_miles").sum(), pl.col("duration_minutes").sum()
    by_hour = work.group_by("hour").agg(pl.len(), (60 * miles / minutes).alias("mph")).sort("hour")
    mph, rows = by_hour["mph"].to_list(), by_hour["len"].to_list()
    assert max(mph[15:19]) < 0.85 * min(mph[0:5])
    assert min(rows[16:19]) > 5 * max(rows[2:5])
    assert 8 < np.median(kept["duration_minutes"]) < 16
    assert 7 < np.median(60 * kept["trip_distance_miles"] / kept["duration_minutes"]) < 14


@pytest.mark.parametrize("cab", ["green", "yellow"])
def test_boosting_beats_linear_regression_on_zones_by_a_fifth(tmp_path, cab):
    """On the next month, from what is known before a trip, as the ML team's model is judged."""
    ensemble = pytest.importorskip("sklearn.ensemble", reason="scikit-learn is not installed")
    threadpoolctl = pytest.importorskip("threadpoolctl", reason="scikit-learn is not installed")
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, TargetEncoder

    _, train = counted(made(tmp_path, cab, "2023-12", 60_000), cab, "2023-12")
    _, test = counted(made(tmp_path, cab, "2024-01", 60_000), cab, "2024-01")
    target, truth = (each["duration_minutes"].to_numpy() for each in (train, test))
    zones = ["pickup_zone", "dropoff_zone"]
    linear = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge(1.0))
    linear.fit(train[zones].to_numpy(), target)
    encoder = TargetEncoder(target_type="continuous")
    keys, times = [*zones, "zone_pair"], [*zones, "hour", "weekday", "minute_of_day"]
    known = np.hstack([encoder.fit_transform(train[keys].to_numpy(), target), train[times]])
    model = ensemble.HistGradientBoostingRegressor(max_iter=100, random_state=0)
    next_known = np.hstack([encoder.transform(test[keys].to_numpy()), test[times]])
    # Threads that wait for each other in a loop take minutes on a busy machine.
    with threadpoolctl.threadpool_limits(1):
        boosting = model.fit(known, target).predict(next_known)

    def rmse(predicted: np.ndarray) -> float:
        return float(np.sqrt(np.mean((predicted - truth) ** 2)))

    baseline, boosted = (
        rmse(linear.predict(test[zones].to_numpy())),
        rmse(boosting),
    )
    assert boosted < 0.78 * baseline, f"{boosted:.2f} against {baseline:.2f} minutes"


def test_a_full_disk_is_a_full_disk() -> None:
    """/dev/full takes no byte, like a disk without room."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with pytest.raises(UnavailableError, match="the disk is full"), local_files("writing it"):
        generate(Path("/dev/full"), "green", "2024-01", rows=1_000, seed=0)

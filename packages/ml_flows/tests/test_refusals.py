"""The flows, run for real, end at once on what cannot work and name it."""

from __future__ import annotations

import time

import pytest

from .conftest import Site, trips

AT_ONCE = 60.0  # seconds on a busy machine; a retry would add a minute for each of two


def _refused(site: Site, flow: str, *arguments: str) -> str:
    started = time.monotonic()
    output = site.flow(flow, "run", *arguments, check=False)
    assert time.monotonic() - started < AT_ONCE, output
    assert "InputError: " in output, output
    assert "Traceback" not in output
    return output


def test_a_dataset_that_nobody_published(site: Site) -> None:
    output = _refused(site, "train_trip_duration", "--train_months", "2023-11")
    assert f"{site.root}/features/green/2023-11/current.json does not exist" in output
    assert "data_engineering_dag" in output


def test_a_bucket_that_is_not_there(site: Site) -> None:
    output = _refused(
        site, "train_trip_duration", "--features_root", "s3://nobody-has-this/features"
    )
    assert "There is no bucket 'nobody-has-this'" in output
    assert site.s3.url in output


def test_another_contract(site: Site) -> None:
    site.publish("2023-12", trips("2023-12", 50), contract=3)
    output = _refused(site, "train_trip_duration")
    assert f"{site.root}/features/green/2023-12/current.json follows contract 3" in output


def test_a_column_that_is_missing(site: Site) -> None:
    site.publish("2023-12", trips("2023-12", 50).drop("pickup_zone"))
    output = _refused(site, "train_trip_duration")
    assert "column 'pickup_zone' is missing" in output


def test_no_promoted_model(site: Site) -> None:
    site.publish("2024-01", trips("2024-01", 50))
    output = _refused(site, "predict_trip_duration")
    assert "No model of green taxis is promoted in branch user.tester or prod" in output
    assert "train_trip_duration.py run --cab green" in output
    assert not site.keys("predictions/")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--train_months", "2025-11", "--test_month", "2024-10"), "is before 2025-11 of"),
        (("--max_rows", "-5"), "max_rows is -5"),
        (("--seed", "-1"), "seed is -1"),
    ],
)
def test_parameters_that_make_no_sense(site: Site, arguments: tuple[str, ...], said: str) -> None:
    assert said in _refused(site, "train_trip_duration", *arguments)


def test_more_trips_than_the_memory_is_for(site: Site) -> None:
    for month in ("2023-12", "2024-01"):
        site.publish(month, trips(month, 50), rows=3_000_000)
    output = _refused(site, "train_trip_duration", "--max_rows", "0")
    assert "3,000,000 trips are more than the 500,000" in output
    assert "--config-value size" in output


def test_a_training_run_that_is_not_there(site: Site) -> None:
    site.publish("2024-01", trips("2024-01", 50))
    output = _refused(site, "predict_trip_duration", "--training_run", "12345")
    assert "training_run: there is no run TrainTripDurationFlow/12345" in output


def test_no_bucket_for_the_predictions(site: Site) -> None:
    site.publish("2024-01", trips("2024-01", 50))
    output = _refused(site, "predict_trip_duration", "--predictions_root", "s3://nobody-has-it/p")
    assert "There is no bucket 'nobody-has-it'" in output


@pytest.mark.parametrize("flow", ["train_trip_duration", "predict_trip_duration"])
def test_metaflows_own_bucket_is_missing(site: Site, flow: str) -> None:
    # Metaflow itself would try again silently for minutes.
    elsewhere = site.with_environment(METAFLOW_DATASTORE_SYSROOT_S3="s3://not-made/metaflow")
    started = time.monotonic()
    output = elsewhere.flow(flow, "run", check=False)
    assert time.monotonic() - started < AT_ONCE
    assert "Metaflow's datastore: There is no bucket 'not-made'" in output
    assert "Traceback" not in output


def test_wrong_credentials(site: Site) -> None:
    # Metaflow's datastore is local here: the dataset's bucket has to refuse them.
    stranger = site.with_environment(
        AWS_SECRET_ACCESS_KEY="wrong",
        METAFLOW_DEFAULT_DATASTORE="local",
    )
    output = _refused(stranger, "train_trip_duration")
    assert f"refuses these credentials for bucket '{site.bucket}'" in output
    assert "AWS_SECRET_ACCESS_KEY" in output
    assert site.s3.secret_key not in output


def test_wrong_credentials_for_metaflows_own_bucket(site: Site) -> None:
    output = site.with_environment(AWS_SECRET_ACCESS_KEY="wrong").flow(
        "train_trip_duration", "run", check=False
    )
    assert "Metaflow's datastore" in output
    assert f"refuses these credentials for bucket '{site.s3.bucket}'" in output

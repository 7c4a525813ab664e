"""What cannot work ends at once and is named: by whole runs where the run is the point, else by the
step that refuses."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from ml_flows import registry, settings, storage
from ml_flows.errors import NO_RETRY, InputError
from ml_flows.train_trip_duration import TrainTripDurationFlow

from .conftest import Site, trips

AT_ONCE = 60.0  # seconds on a busy machine; a retry would add a minute for each of two


def _refused(site: Site, flow: str, *arguments: str) -> str:
    started = time.monotonic()
    output = site.flow(flow, "run", *arguments, check=False)
    assert time.monotonic() - started < AT_ONCE, output
    assert "Traceback" not in output
    return output


def _begin_training(site: Site, capsys: pytest.CaptureFixture[str], **parameters: Any) -> str:
    """Let the first step of a training refuse its parameters; return what it says."""
    given = {
        "cab": "green", "train_months": "2023-12", "test_month": "2024-01", "max_rows": 500_000,
        "seed": 0, "features_root": f"{site.root}/features", "size": settings.SIZE,
        "search": settings.SEARCH, "promotion": settings.PROMOTION,
    }  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        TrainTripDurationFlow.start(SimpleNamespace(**given | parameters))
    assert ended.value.code == NO_RETRY
    said = capsys.readouterr().err
    assert said.startswith("InputError: ")
    return said


def test_a_dataset_that_nobody_published(site: Site) -> None:
    output = _refused(site, "train_trip_duration", "--train_months", "2023-11")
    assert "InputError: " in output
    assert f"{site.root}/features/green/2023-11/current.json does not exist" in output
    assert "data_engineering_dag" in output


def test_no_promoted_model(site: Site) -> None:
    site.publish("2024-01", trips("2024-01", 50))
    output = _refused(site, "predict_trip_duration")
    assert "InputError: No model of green taxis is promoted in branch user.tester or prod" in output
    assert "train_trip_duration.py run --cab green" in output
    assert not site.keys("predictions/")


def test_a_bucket_that_is_not_there(here: Site, capsys: pytest.CaptureFixture[str]) -> None:
    output = _begin_training(here, capsys, features_root="s3://nobody-has-this/features")
    assert "There is no bucket 'nobody-has-this'" in output
    assert here.s3.url in output


def test_another_contract(here: Site, capsys: pytest.CaptureFixture[str]) -> None:
    here.publish("2023-12", trips("2023-12", 50), contract=3)
    uri = f"{here.root}/features/green/2023-12/current.json"
    assert f"{uri} follows contract 3" in _begin_training(here, capsys)


def test_a_column_that_is_missing(here: Site, capsys: pytest.CaptureFixture[str]) -> None:
    here.publish("2023-12", trips("2023-12", 50).drop("pickup_zone"))
    assert "column 'pickup_zone' is missing" in _begin_training(here, capsys)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"train_months": "2025-11", "test_month": "2024-10"}, "is before 2025-11 of"),
        ({"max_rows": -5}, "max_rows is -5"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_parameters_that_make_no_sense(
    here: Site, capsys: pytest.CaptureFixture[str], parameters: dict[str, Any], said: str
) -> None:
    assert said in _begin_training(here, capsys, **parameters)


def test_more_trips_than_the_memory_is_for(here: Site, capsys: pytest.CaptureFixture[str]) -> None:
    for month in ("2023-12", "2024-01"):
        here.publish(month, trips(month, 50), rows=3_000_000)
    output = _begin_training(here, capsys, max_rows=0)
    assert "3,000,000 trips are more than the 500,000" in output
    assert "--config-value size" in output


def test_a_training_run_that_is_not_there(here: Site) -> None:
    with pytest.raises(InputError, match="training_run: there is no run TrainTripDurationFlow/123"):
        registry.named("123", "green", made_up=False, branch="prod")


def test_no_bucket_for_the_predictions(here: Site) -> None:
    with pytest.raises(InputError, match="There is no bucket 'nobody-has-it'"):
        storage.require_place("s3://nobody-has-it/p")


def test_wrong_credentials(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    with site.with_environment(AWS_SECRET_ACCESS_KEY="wrong").here():
        output = _begin_training(site, capsys)
    assert f"refuses these credentials for bucket '{site.bucket}'" in output
    assert "AWS_SECRET_ACCESS_KEY" in output
    assert site.s3.secret_key not in output


@pytest.mark.parametrize("flow", ["train_trip_duration", "predict_trip_duration"])
def test_metaflows_own_bucket_is_missing(site: Site, flow: str) -> None:
    # Metaflow itself would try again silently for minutes.
    elsewhere = site.with_environment(
        METAFLOW_DEFAULT_DATASTORE="s3", METAFLOW_DATASTORE_SYSROOT_S3="s3://not-made/metaflow"
    )
    output = _refused(elsewhere, flow)
    assert "Metaflow's datastore: There is no bucket 'not-made'" in output


def test_wrong_credentials_for_metaflows_own_bucket(site: Site) -> None:
    stranger = site.with_environment(METAFLOW_DEFAULT_DATASTORE="s3", AWS_SECRET_ACCESS_KEY="wrong")
    output = stranger.flow("train_trip_duration", "run", check=False)
    assert "Metaflow's datastore" in output
    assert f"refuses these credentials for bucket '{site.s3.bucket}'" in output

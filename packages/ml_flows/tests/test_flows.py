"""Both flows, run for real against a real S3 server: on TLC's months where they are there, else on
a made-up city's."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from .conftest import SHARED_DATA, Site, real_outside, real_trips, trips

READ = """
import json, sys
import metaflow
metaflow.namespace(None)
print(json.dumps(getattr(metaflow.Run(sys.argv[1]).data, sys.argv[2])))
"""


@dataclass(frozen=True)
class World:
    """Two published months and what was run on them."""

    site: Site
    first: str
    second: str
    predicted: str


def _month(month: str) -> pl.DataFrame:
    real = (SHARED_DATA / f"green_tripdata_{month}.parquet").is_file()
    return real_trips(month) if real else trips(month, 20_000)


def _run(site: Site, flow: str, *arguments: str) -> str:
    """Run a flow; return its run id."""
    target = site.directory / "run-id"
    site.flow(flow, "run", "--run-id-file", str(target), *arguments)
    return target.read_text().strip()


def _artifact(site: Site, run: str, name: str) -> Any:
    return json.loads(site.python("-c", READ, run, name).stdout)


def _outside(month: str) -> pl.DataFrame:
    if (SHARED_DATA / f"green_tripdata_{month}.parquet").is_file():
        return real_outside(month)
    made = trips(month, 300).with_columns(duration_minutes=pl.lit(90.0, pl.Float32))
    return made.with_columns(reasons=pl.lit(["outside_range"]))


@pytest.fixture(scope="module")
def world(new_site: Callable[[], Site]) -> World:
    site = new_site()
    for month in ("2023-12", "2024-01"):
        site.publish(month, _month(month), outside=_outside(month))
    first, second = (_run(site, "train_trip_duration") for _ in range(2))
    # A training that fails afterwards is no training to predict with.
    site.flow("train_trip_duration", "run", "--train_months", "2020-01", check=False)
    return World(site, first, second, _run(site, "predict_trip_duration"))


def test_the_model_is_better_than_linear_regression_and_than_the_best_rule(world: World) -> None:
    train = world.site.report("--train-run", world.first, "--predict-run", world.predicted)["train"]
    assert train["improvement_percent"] >= 20
    assert train["rmse"] < train["rule_rmse"] < train["baseline_rmse"] < train["mean_rmse"]
    assert train["honest_rmse"] > train["rmse"]
    assert train["honest_rows"] > train["rows_test"] == _month("2024-01").height
    assert 0.75 < train["coverage"] < 0.85
    assert train["rows_train"] == _month("2023-12").height


def test_the_first_is_promoted_and_its_equal_is_held_back_with_the_reason(world: World) -> None:
    first, second = (
        _artifact(world.site, f"TrainTripDurationFlow/{run}", "decision")
        for run in (world.first, world.second)
    )
    assert first["promoted"]
    assert not second["promoted"]
    champion = f"does not surely beat the champion TrainTripDurationFlow/{world.first}"
    assert second["reasons"][0].startswith(champion)
    assert _models(world, "list") == [world.first]


def test_a_second_run_has_the_same_metrics(world: World) -> None:
    first, second = (
        _artifact(world.site, f"TrainTripDurationFlow/{run}", "metrics")
        for run in (world.first, world.second)
    )
    assert first == pytest.approx(second, rel=1e-12)


def test_predictions_are_the_champions_in_a_place_of_ones_own(world: World) -> None:
    manifest = world.site.get_json("predictions/branches/user.tester/green/2024-01/current.json")
    assert not world.site.keys("predictions/green")
    features = world.site.get_json("features/green/2024-01/current.json")
    assert manifest["training_run"] == f"TrainTripDurationFlow/{world.first}"
    assert manifest["run"] == f"PredictTripDurationFlow/{world.predicted}"
    assert manifest["features_uri"] == features["uri"]
    assert manifest["rows"] == features["rows"]
    assert manifest["time_order"] == "after"
    body = world.site.s3.client.get_object(
        Bucket=world.site.bucket, Key=manifest["uri"].removeprefix(f"{world.site.root}/")
    )["Body"].read()
    table = pl.read_parquet(body)
    assert {name: str(dtype) for name, dtype in table.schema.items()} == manifest["columns"]
    assert table["predicted_minutes"].is_between(1, 60).all()
    assert (table["predicted_minutes_p10"] <= table["predicted_minutes_p90"]).all()
    off = table["predicted_minutes"] - table["duration_minutes"]
    rmse = world.site.report("--namespace", "user:tester")["predict"]["concept_drift"]["rmse"]
    assert (off**2).mean() ** 0.5 == pytest.approx(rmse, rel=1e-3)  # type: ignore[operator]


def _models(world: World, *arguments: str, check: bool = True) -> Any:
    """python -m ml_flows.models in the tester's branch; of list, the run ids."""
    verb, *others = arguments
    scoped = [*others, *(() if verb == "promote" else ("--branch", "mine"))]
    asked = ["--json"] if verb == "list" else []
    done = world.site.python("-m", "ml_flows.models", verb, *scoped, *asked, check=check)
    if verb != "list":
        return done.stdout + done.stderr
    return [each["run"].partition("/")[2] for each in json.loads(done.stdout)]


def test_promotion_rollback_and_demotion_are_one_command_each(world: World) -> None:
    refused = _models(world, "promote", world.second, check=False)
    assert "add --anyway" in refused
    assert _models(world, "list") == [world.first]
    _models(world, "promote", world.second, "--anyway")
    assert _models(world, "list") == [world.second, world.first]
    assert f"is TrainTripDurationFlow/{world.first}" in _models(world, "rollback")
    assert _models(world, "list") == [world.first]
    assert "no earlier champion" in _models(world, "rollback", check=False)
    assert "have no champion" in _models(world, "demote", world.first)
    output = world.site.flow("predict_trip_duration", "run", check=False)
    assert "No model of green taxis is promoted in branch user.tester or prod" in output
    assert f"promote TrainTripDurationFlow/{world.second} --anyway" in output
    _models(world, "promote", world.first)
    assert _models(world, "list") == [world.first]


def test_into_production_goes_no_developers_run_by_itself(world: World) -> None:
    refused = _models(world, "promote", world.first, "--branch", "prod", check=False)
    assert "it is no run of a production deployment" in refused


def test_made_up_trips_are_not_predicted_with_a_model_of_real_ones(world: World) -> None:
    made_up = ("--features_root", f"{world.site.root}/made-up/features")
    world.site.publish("2024-01", trips("2024-01", 50), folder="made-up/features", made_up=True)
    output = world.site.flow("predict_trip_duration", "run", *made_up, check=False)
    assert "No model of made-up-green taxis is promoted" in output


def test_a_month_that_the_model_learned_from_is_said_loudly(world: World) -> None:
    run = _run(world.site, "predict_trip_duration", "--month", "2023-12")
    found = world.site.report("--train-run", world.first, "--predict-run", run)["predict"]
    assert found["time_order"] == "learned from"
    assert found["concept_drift"]["level"] == "not judged"
    log = world.site.flow("predict_trip_duration", "logs", f"{run}/start")
    assert "WARNING: the model LEARNED FROM 2023-12" in log
    page = world.site.directory / "learned.html"
    _, _, task = found["card"].partition("/")
    world.site.flow("predict_trip_duration", "card", "get", task, str(page))
    assert "LEARNED FROM 2023-12" in _card_data(page)


def test_the_report_names_runs_drift_and_cards_that_can_be_viewed(world: World) -> None:
    report = world.site.report("--train-run", world.first, "--predict-run", world.predicted)
    assert report["train"]["run"] == f"TrainTripDurationFlow/{world.first}"
    assert set(report["predict"]["drift"]) >= {"pickup_zone", "dropoff_zone", "hour", "weekday"}
    assert report["predict"]["training_run"] == f"TrainTripDurationFlow/{world.first}"
    assert report["predict"]["concept_drift"]["rmse"] == pytest.approx(
        report["train"]["rmse"], rel=1e-3
    )
    for flow, part, charts in (
        ("train_trip_duration", "train", 7),
        ("predict_trip_duration", "predict", 9),
    ):
        target = world.site.directory / f"{part}.html"
        # Metaflow's card commands take a pathspec without the flow's name.
        _, _, task = report[part]["card"].partition("/")
        world.site.flow(flow, "card", "get", task, str(target))
        assert _card_data(target).count('"type": "vegaChart"') == charts


def _card_data(page: Path) -> str:
    """What a card shows, as the JSON that stands in its page."""
    found = re.search(r'__MF_DATA__\["[^"]+"\] = "([A-Za-z0-9+/=]+)"', page.read_text())
    assert found, f"no data in {page}"
    return base64.b64decode(found[1]).decode()


def test_the_report_without_runs_says_so(site: Site) -> None:
    done = site.python("-m", "ml_flows.report", "--json", check=False)
    assert done.returncode == 1
    assert "no successful run of TrainTripDurationFlow in namespace 'production'" in done.stderr


def test_a_shifted_month_raises_the_drift_figures(world: World) -> None:
    month = _month("2024-01")
    shifted = month.with_columns(
        pickup_at=pl.col("pickup_at").dt.offset_by("5h"),
        duration_minutes=(pl.col("duration_minutes") * 1.5).clip(1, 60),
    )
    training = ("--train-run", world.first)
    calm = world.site.report(*training, "--predict-run", world.predicted)["predict"]
    world.site.publish("2024-02", shifted)
    run = _run(
        world.site, "predict_trip_duration", "--month", "2024-02", "--training_run", world.first
    )
    moved = world.site.report(*training, "--predict-run", run)["predict"]
    assert moved["training_run"] == f"TrainTripDurationFlow/{world.first}"
    assert moved["drift"]["hour"]["psi"] > 0.25 > calm["drift"]["hour"]["psi"]
    assert moved["drift"]["hour"]["level"] == "large"
    assert moved["drift"]["duration_minutes"]["psi"] > 5 * calm["drift"]["duration_minutes"]["psi"]
    assert moved["concept_drift"]["level"] == "large"
    assert moved["concept_drift"]["bias_shift"] < -2
    assert moved["drift"]["pickup_zone"]["psi"] == pytest.approx(
        calm["drift"]["pickup_zone"]["psi"]
    )


def test_steps_stay_small_and_artifacts_too(world: World) -> None:
    code = (
        "import resource, subprocess, sys; "
        "done = subprocess.run([sys.executable, *sys.argv[1:]], stdout=2); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024); "
        "sys.exit(done.returncode)"
    )
    flow = Path(__file__).parents[1] / "src" / "ml_flows" / "train_trip_duration.py"
    arguments = ("run", "--train_months", "2023-12", "--test_month", "")
    done = world.site.python("-c", code, str(flow), *arguments)
    assert int(done.stdout) < 400  # MB, the largest of all steps' processes
    # The same run without a test month: the last week is held out.
    assert re.search(r"test on 2023-12 from 2023-12-25", done.stderr)
    artifacts = world.site.runs.glob(".metaflow/TrainTripDurationFlow/data/*/*")
    assert 0 < max(each.stat().st_size for each in artifacts) < 3_000_000

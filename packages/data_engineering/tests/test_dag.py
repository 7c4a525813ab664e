"""The DAG: what parsing it loads, its form, and runs of it on real files and real S3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import data_engineering
import pytest
from data_engineering.released import released
from s3_server import S3Server

from .trips_files import row, table, whole_month, write

DAGS = Path(str(data_engineering.__file__)).parent / "dags"
MINUTES = 5

_LOADED = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({dags!r})
dag = bag.dags["data_engineering_dag"]
print("RESULT", json.dumps({{
    "errors": bag.import_errors,
    "dags": sorted(bag.dags),
    "tags": [sorted(each.tags) for each in bag.dags.values()],
    "said": [each.doc_md.strip().splitlines()[-1] for each in bag.dags.values()],
    "heavy": sorted({{"polars", "pyarrow", "numpy"}} & set(sys.modules)),
    "downstream": {{t.task_id: sorted(t.downstream_task_ids) for t in dag.tasks}},
    "params": {{
        name: {{**dag.params.get_param(name).schema, "description": param.description}}
        for name in dag.params if (param := dag.params.get_param(name))
    }},
    "retries": {{t.task_id: t.retries for t in dag.tasks}},
    "at_once": {{t.task_id: t.max_active_tis_per_dagrun
                for t in bag.dags["data_engineering_backfill"].tasks}},
}}))
"""

_RUN = """
import json, sys
from airflow.models.asset import AssetEvent
from airflow.settings import Session
from sqlalchemy import select
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.dag_processing.dagbag import DagBag
dag = DagBag({dags!r}).dags[{dag!r}]
run = dag.test(run_conf={conf!r})
session = Session()
print("RESULT", json.dumps({{
    "state": str(run.state),
    "train": next((RenderedTaskInstanceFields.get_templated_fields(t)
                   for t in run.get_task_instances() if t.task_id == "train"), None),
    "tasks": [[t.task_id, t.rendered_map_index, str(t.state), t.try_number]
              for t in run.get_task_instances()],
    "events": [[e.asset.uri, e.partition_key, e.extra] for e in session.scalars(
        select(AssetEvent).where(AssetEvent.source_run_id == run.run_id).order_by(AssetEvent.id))],
}}))
"""


@dataclass(frozen=True)
class Airflow:
    """An Airflow with a database of its own, and no server."""

    environment: Mapping[str, str]

    def python(self, script: str, **environment: str) -> tuple[dict[str, Any], str]:
        """Run a script; return what it printed after RESULT, and all that it said."""
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=MINUTES * 60,
            check=False,
        )
        said = done.stdout + done.stderr
        lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        assert done.returncode == 0, said[-4000:]
        assert lines, said[-4000:]
        return json.loads(lines[-1].removeprefix("RESULT ")), said

    def run(
        self, conf: dict[str, Any], dag: str = "data_engineering_dag", **environment: str
    ) -> tuple[dict[str, Any], str]:
        return self.python(_RUN.format(dags=str(DAGS), dag=dag, conf=conf), **environment)


@pytest.fixture(scope="module")
def airflow(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    home = tmp_path_factory.mktemp("airflow")
    others = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "AWS_", "TRIP_"))}
    environment = {
        **others,
        **s3_server.environment,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
    }
    done = subprocess.run(
        [str(Path(sys.executable).parent / "airflow"), "db", "migrate"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=MINUTES * 60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return Airflow(environment)


@pytest.fixture(scope="module")
def loaded(airflow: Airflow) -> dict[str, Any]:
    return airflow.python(_LOADED.format(dags=str(DAGS)))[0]


def test_it_loads_alone_and_light(loaded: dict[str, Any]) -> None:
    assert loaded["errors"] == {}
    assert loaded["dags"] == ["data_engineering_backfill", "data_engineering_dag"]
    assert loaded["tags"] == [sorted(["data-engineering", released()])] * 2
    assert loaded["said"] == [f"From {released()}."] * 2
    assert loaded["heavy"] == []


def test_months_go_one_by_one_and_the_flows_follow(loaded: dict[str, Any]) -> None:
    assert loaded["downstream"] == {
        "months": ["month.fetch", "month.publish"],
        "month.fetch": ["month.publish"],
        "month.publish": ["train"],
        "train": ["predict"],
        "predict": [],
    }


def test_a_backfill_has_a_limit_at_once_and_publishes_in_order(loaded: dict[str, Any]) -> None:
    assert loaded["at_once"] == {"months": None, "month.fetch": 4, "month.publish": 1}


def test_its_form_has_types_and_words(loaded: dict[str, Any]) -> None:
    params = loaded["params"]
    assert list(params) == [
        "cab",
        "month",
        "train_months",
        "source",
        "rows",
        "seed",
        "run_flows",
        "train_dag_id",
        "predict_dag_id",
    ]
    assert all(each["title"] and each["description"] for each in params.values())
    assert params["cab"]["enum"] == ["green", "yellow"]


def test_a_run_publishes_real_months_and_leaves_the_flows_out(
    airflow: Airflow, s3: S3Server, tlc_file: Callable[[str], Path]
) -> None:
    folder = tlc_file("green_tripdata_2024-01.parquet").parent
    result, said = airflow.run({"source": str(folder)}, TRIP_DATA_SOURCES=str(folder))
    assert result["state"] == "success", said[-4000:]
    months = ("2023-12", "2024-01")
    states = {(task, name): state for task, name, state, _ in result["tasks"]}
    expected: dict[tuple[str, str | None], str] = {
        (f"month.{task}", month): "success" for task in ("fetch", "publish") for month in months
    }
    expected |= {
        ("months", None): "success",
        ("train", None): "skipped",
        ("predict", None): "skipped",
    }
    assert states == expected
    assert [event[:2] for event in result["events"]] == [
        ["s3://trip-data/features", f"green/{month}"] for month in months
    ]
    extra = result["events"][1][2]
    key = extra["manifest"].removeprefix(f"s3://{s3.bucket}/")
    manifest = json.load(boto3.client("s3").get_object(Bucket=s3.bucket, Key=key)["Body"])
    assert (extra["rows"], extra["sha256"]) == (
        manifest["rows"],
        manifest["files"]["features"]["sha256"],
    )
    assert (extra["schema_version"], extra["features_root"]) == (
        manifest["schema"]["version"],
        "s3://trip-data/features",
    )
    assert result["train"]["conf"] == {
        "cab": "green",
        "train_months": "2023-12",
        "test_month": "2024-01",
        "features_root": "s3://trip-data/features",
    }
    client = boto3.client("s3")
    rows = {}
    for month in months:
        key = f"features/green/{month}/current.json"
        current = json.load(client.get_object(Bucket=s3.bucket, Key=key)["Body"])
        rows[month] = (current["rows_read"], current["rows"], current["source"])
    assert rows == {"2023-12": (64_215, 58_691, "path"), "2024-01": (56_551, 52_199, "path")}
    assert s3.secret_key not in said


def test_a_bad_file_fails_its_task_at_once_and_its_month_alone(
    airflow: Airflow, tmp_path: Path
) -> None:
    write(tmp_path, table(whole_month()), "green_tripdata_2024-01.parquet")
    december = row(
        lpep_pickup_datetime=row()["lpep_pickup_datetime"].replace(2023, 12),
        lpep_dropoff_datetime=row()["lpep_dropoff_datetime"].replace(2023, 12),
    )
    write(
        tmp_path,
        table([december]).drop("trip_distance"),
        "green_tripdata_2023-12.parquet",
    )
    result, said = airflow.run(
        {"source": str(tmp_path), "run_flows": True},
        TRIP_DATA_SOURCES=str(tmp_path),
        TRIP_DATA_MIN_ROWS_RATIO="0",  # beside the real months of the test before
    )
    states = {(task, name): (state, tries) for task, name, state, tries in result["tasks"]}
    assert result["state"] == "failed"
    assert states["month.fetch", "2023-12"] == ("failed", 1)
    assert states["month.publish", "2023-12"] == ("failed", 1)
    assert states["month.publish", "2024-01"][0] == "success"
    assert states["train", None][0] == states["predict", None][0] == "upstream_failed"
    path = tmp_path / "green_tripdata_2023-12.parquet"
    assert f"{path} has no column trip_distance" in said


def test_a_backfill_publishes_the_months_that_it_can(airflow: Airflow, tmp_path: Path) -> None:
    write(tmp_path, table(whole_month()), "green_tripdata_2024-01.parquet")
    result, _ = airflow.run(
        {"months": "2024-01..2024-02", "source": str(tmp_path)},
        "data_engineering_backfill",
        TRIP_DATA_SOURCES=str(tmp_path),
        TRIP_DATA_MIN_ROWS_RATIO="0",
    )
    states = {(task, name): state for task, name, state, _ in result["tasks"]}
    assert states["month.publish", "2024-01"] == "success"
    assert states["month.publish", "2024-02"] == "failed"


def test_a_source_that_is_not_allowed_is_not_even_looked_at(
    airflow: Airflow, tmp_path: Path
) -> None:
    (tmp_path / "secret.parquet").write_bytes(b"PAR1secret")
    result, said = airflow.run({"source": str(tmp_path / "secret.parquet")})
    assert result["state"] == "failed"
    assert [(task, tries) for task, _, state, tries in result["tasks"] if state == "failed"] == [
        ("months", 1)
    ]
    assert "TRIP_DATA_SOURCES of the workers allows (s3://trip-data)" in said

"""Readers of predictions see a whole version or the one before, whatever happens to the writer."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import time
from typing import Any

import numpy as np
import polars as pl
import pytest
from ml_flows import dataset, publish
from ml_flows.errors import InputError

from .conftest import Site, trips

WRITER = """
import json, sys
import numpy as np
from ml_flows import publish
months = [json.loads(each) for each in sys.argv[2:]]
for number in range(1_000_000):
    features = months[number % len(months)]
    publish.predictions(
        sys.argv[1], features, lambda part: np.full((part.height, 4), features["rows"] % 60.0),
        lineage={"training_run": "T/1", "run": "P/1"},
    )
    print(number, flush=True)
"""


def _check_current(site: Site) -> int:
    """What current.json names is there and whole; return its rows."""
    manifest = site.get_json("predictions/green/2024-01/current.json")
    key = manifest["uri"].removeprefix(f"{site.root}/")
    body = site.s3.client.get_object(Bucket=site.bucket, Key=key)["Body"].read()
    table = pl.read_parquet(io.BytesIO(body))
    assert table.height == manifest["rows"]
    assert (table["predicted_minutes"] == float(manifest["rows"] % 60)).all()
    return table.height


def test_a_reader_never_sees_half_a_version_even_if_the_writer_is_killed(site: Site) -> None:
    months = [json.dumps(site.publish("2024-01", trips("2024-01", n))) for n in range(90, 100)]
    delays = random.Random(4)  # noqa: S311 - when to kill, not a secret
    read = set()
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, f"{site.root}/predictions", *months],
            env=site.environment, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "0\n"
            until = time.monotonic() + 1 + delays.random()
            while time.monotonic() < until:
                read.add(_check_current(site))
                assert writer.poll() is None, "the writer ended by itself"
        finally:
            writer.kill()
            writer.wait(20)
        read.add(_check_current(site))
    assert len(read) > 3  # the reader did see versions come and go


def _predict(site: Site, features: dict[str, Any], root: str) -> dict[str, Any]:
    return publish.predictions(
        root,
        features,
        lambda part: np.column_stack([part["pickup_zone"]] * 4).astype(float),
        lineage={"training_run": "T/1", "run": "P/1"},
    )


def test_versions_stay_and_current_is_the_newest(here: Site) -> None:
    features = here.publish("2024-01", trips("2024-01", 100))
    for _ in range(2):
        _predict(here, features, f"{here.root}/predictions")
    files = [key for key in here.keys("predictions/") if key.endswith(".parquet")]
    assert len(files) == 2
    newest = here.get_json("predictions/green/2024-01/current.json")["uri"]
    assert newest == f"{here.root}/{max(files)}"


def test_batches_keep_every_trip_in_its_row_and_the_file_says_what_made_it(
    here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "BATCH", 64)
    table = trips("2024-01", 1000)
    manifest = _predict(here, here.publish("2024-01", table), f"{here.root}/predictions")
    with publish.opened(manifest) as opened:
        written = opened.collect()
    with dataset.opened(manifest) as path:
        about = json.loads(pl.read_parquet_metadata(path)["ml_flows"])
    assert written["pickup_at"].equals(table["pickup_at"])
    assert (written["predicted_minutes_p90"] == table["pickup_zone"]).all()
    assert about["training_run"] == "T/1"
    assert about["features_version"] == manifest["features_version"]
    assert about["made_up"] is False


def test_a_month_with_fewer_trips_than_it_says_is_not_published(here: Site) -> None:
    features = here.publish("2024-01", trips("2024-01", 100)) | {"rows": 101}
    with pytest.raises(InputError, match="has 100 trips; its manifest says 101"):
        _predict(here, features, f"{here.root}/predictions")
    assert not here.keys("predictions/")


@pytest.mark.parametrize(
    ("branch", "made_up", "place"),
    [
        ("prod", False, "s3://b/p"),
        ("prod", True, "s3://b/made-up/p"),
        ("user.ann", False, "s3://b/p/branches/user.ann"),
        ("test.x", True, "s3://b/made-up/p/branches/test.x"),
    ],
)
def test_only_production_writes_real_predictions_where_readers_look(
    branch: str, made_up: bool, place: str
) -> None:
    assert publish.place("s3://b/p/", branch, made_up=made_up) == place


def test_a_root_that_is_made_up_already_says_so_once() -> None:
    assert publish.place("s3://b", "prod", made_up=True) == "s3://b/made-up"
    assert publish.place("s3://b/made-up/p", "prod", made_up=True) == "s3://b/made-up/p"

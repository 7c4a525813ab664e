"""Readers of predictions see a whole version or the one before, whatever happens to the writer."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import time

import polars as pl

from .conftest import Site, trips

FEATURES = "{'cab': 'green', 'month': '2024-01', 'uri': 's3://x/y', 'version': 'v'}"
WRITER = f"""
import sys
import numpy as np, polars as pl
from ml_flows import publish
trips = pl.read_parquet(sys.argv[2])
for number in range(1_000_000):
    part = trips.head(1 + number % trips.height)
    publish.predictions(
        sys.argv[1], part, np.full(part.height, float(part.height % 60)),
        features={FEATURES}, training_run="T/1", run="P/1",
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
    file = site.directory / "trips.parquet"
    trips("2024-01", 2000).write_parquet(file)
    delays = random.Random(4)  # noqa: S311 - when to kill, not a secret
    read = set()
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, f"{site.root}/predictions", str(file)],
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


def test_versions_stay_and_current_is_the_newest(site: Site) -> None:
    code = (
        "import sys, numpy as np, polars as pl; from ml_flows import publish; "
        "trips = pl.read_parquet(sys.argv[2]); "
        "[publish.predictions(sys.argv[1], trips, np.full(trips.height, m), "
        f"features={FEATURES}, training_run='T/1', run='P/1') for m in (7.0, 8.0)]"
    )
    file = site.directory / "trips.parquet"
    trips("2024-01", 100).write_parquet(file)
    site.python("-c", code, f"{site.root}/predictions", str(file))
    files = [key for key in site.keys("predictions/") if key.endswith(".parquet")]
    assert len(files) == 2
    newest = site.get_json("predictions/green/2024-01/current.json")["uri"]
    assert newest == f"{site.root}/{max(files)}"

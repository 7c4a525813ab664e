"""A real S3 server, datasets in it as the data team publishes them, and flows run for real."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import metaflow
import numpy as np
import polars as pl
import pytest
from ml_flows import storage
from ml_flows.contract import HISTORY
from s3_server import S3Server

FLOWS = Path(__file__).parents[1] / "src" / "ml_flows"
SHARED_DATA = Path(os.environ.get("TLC_DATA") or Path(__file__).parents[4] / "shared" / "data")
RUN_WITHIN = 900.0  # seconds; a busy machine may take ten times as long as a quiet one
HOLIDAYS = [date(2023, 11, 23), date(2023, 12, 25), date(2024, 1, 1), date(2024, 1, 15)]


def trips(month: str, rows: int, *, seed: int = 0, slower: float = 1.0) -> pl.DataFrame:
    """Made-up trips with the contract's columns, in a city where distance and rush hour count.

    Args:
        slower: factor on all durations: a concept drift.
    """
    # The city is the same in all months, the trips are not.
    places = np.random.default_rng(7).uniform(0, 20, (264, 2))
    random = np.random.default_rng([seed, int(month.replace("-", ""))])
    weights = 1 / np.arange(1, 61)
    pickup, dropoff = random.choice(np.arange(1, 61), (2, rows), p=weights / weights.sum())
    year, number = map(int, month.split("-"))
    first = np.datetime64(datetime(year, number, 1), "us")
    days, hours = random.integers(0, 28, rows), np.clip(random.normal(14, 5, rows), 0, 23.99)
    at = first + (days * 86_400e6 + hours * 3600e6).astype("timedelta64[us]")
    miles = np.hypot(*(places[pickup] - places[dropoff]).T) + 0.7
    rush = 1 + 0.5 * np.exp(-(((hours - 17.5) / 2) ** 2))
    taken = slower * (2 + 2.4 * miles * rush) * random.lognormal(0, 0.15, rows)
    return pl.DataFrame({"pickup_at": at, "miles": miles, "taken": taken}).select(
        pickup_at="pickup_at",
        pickup_zone=pl.Series(pickup, dtype=pl.Int16),
        dropoff_zone=pl.Series(dropoff, dtype=pl.Int16),
        hour=pl.col("pickup_at").dt.hour(),
        weekday=(pl.col("pickup_at").dt.weekday() - 1).cast(pl.Int8),
        holiday=pl.col("pickup_at").dt.date().is_in(HOLIDAYS),
        passenger_count=pl.lit(1, dtype=pl.Int8),
        trip_distance_miles=pl.col("miles").cast(pl.Float32),
        duration_minutes=pl.col("taken").clip(1, 60).cast(pl.Float32),
        fare_dollars=pl.col("miles").cast(pl.Float32) * 3,
        pickup_borough=pl.lit("Queens"),
        dropoff_borough=pl.lit("Queens"),
        **{name: pl.lit(None, pl.Float32) for name in HISTORY},
    )


def real_trips(month: str) -> pl.DataFrame:
    """The kept trips of a real green month, from TLC's file; skips where there is none."""
    return _real(month).filter(pl.col("duration_minutes").is_between(1, 60)).collect()


def real_outside(month: str) -> pl.DataFrame:
    """Its trips under 1 or over 60 minutes, as the quarantine has them."""
    minutes = pl.col("duration_minutes")
    reasons = pl.when(minutes > 180).then(pl.lit("too_long,outside_range"))
    return (
        _real(month)
        .filter(~minutes.is_between(1, 60), minutes > 0)
        .with_columns(reasons=reasons.otherwise(pl.lit("outside_range")).str.split(","))
        .collect()
    )


def _real(month: str) -> pl.LazyFrame:
    path = SHARED_DATA / f"green_tripdata_{month}.parquet"
    if not path.is_file():
        pytest.skip(f"no real TLC file {path}")
    pickup, dropoff = pl.col("lpep_pickup_datetime"), pl.col("lpep_dropoff_datetime")
    first = datetime.fromisoformat(f"{month}-01")
    zones = [pl.col(name).is_between(1, 263) for name in ("PULocationID", "DOLocationID")]
    return (
        pl.scan_parquet(path)
        .filter(
            pickup >= first,
            pickup < pl.lit(first).dt.offset_by("1mo"),
            pl.col("trip_distance").is_between(0, 100, closed="right"),
            *zones,
        )
        .select(
            pickup_at=pickup,
            pickup_zone=pl.col("PULocationID").cast(pl.Int16),
            dropoff_zone=pl.col("DOLocationID").cast(pl.Int16),
            weekday=(pickup.dt.weekday() - 1).cast(pl.Int8),
            pickup_borough=pl.lit("Queens"),
            holiday=pickup.dt.date().is_in(HOLIDAYS),
            trip_distance_miles=pl.col("trip_distance").cast(pl.Float32),
            duration_minutes=((dropoff - pickup).dt.total_seconds() / 60).cast(pl.Float32),
            **{name: pl.lit(None, pl.Float32) for name in HISTORY},
        )
    )


@dataclass(frozen=True)
class Site:
    """One test's world: a bucket of its own, Metaflow's state, and the flows run in it."""

    s3: S3Server
    bucket: str
    directory: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> str:
        return f"s3://{self.bucket}"

    @property
    def runs(self) -> Path:
        """Where Metaflow keeps them."""
        return self.directory / "metaflow"

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "METAFLOW_", "TRIP_", "PYTHONPATH"))
        }
        return kept | self.s3.environment | {
            "METAFLOW_S3_ENDPOINT_URL": self.s3.url,
            "TRIP_DATA_ROOT": self.root,
            # Metaflow's S3 client starts Pythons for each artifact: it costs more than the flows.
            "METAFLOW_DEFAULT_DATASTORE": "local",
            "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{self.s3.bucket}/{self.bucket}",
            "METAFLOW_DEFAULT_METADATA": "local",
            "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(self.runs),
            "METAFLOW_HOME": str(self.directory / "home"),
            "METAFLOW_USER": "tester",
        } | self.extra  # fmt: skip

    def with_environment(self, **extra: str) -> Site:
        return replace(self, extra={**self.extra, **extra})

    def publish(
        self,
        month: str,
        table: pl.DataFrame,
        *,
        outside: pl.DataFrame | None = None,
        folder: str = "features",
        **changes: Any,
    ) -> dict[str, Any]:
        """Publish features as contract 2 says; changes go into current.json.

        Args:
            outside: rows of the quarantine; without them there are none.
        """
        base = f"{folder}/green/{month}"
        version = f"20261123T120000Z-{secrets.token_hex(4)}"
        if outside is None:
            outside = table.clear().with_columns(reasons=pl.lit(None, pl.List(pl.String)))
        files = {
            kind: self._file(f"{base}/{version}/{kind}.parquet", rows)
            for kind, rows in (("features", table), ("quarantine", outside))
        }
        manifest = {
            "contract": 2,
            "cab": "green",
            "month": month,
            "version": version,
            "uri": files["features"]["uri"],
            "rows": table.height,
            "columns": {name: str(dtype) for name, dtype in table.schema.items()},
            "made_up": False,
            "files": files,
            "schema": {"version": 2},
            **changes,
        }
        self.put(f"{base}/current.json", json.dumps(manifest).encode())
        return manifest

    def _file(self, key: str, table: pl.DataFrame) -> dict[str, Any]:
        path = self.directory / "upload.parquet"
        table.write_parquet(path)
        body = path.read_bytes()
        self.put(key, body)
        return {
            "uri": f"{self.root}/{key}",
            "bytes": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "rows": table.height,
        }

    def put(self, key: str, body: bytes) -> None:
        self.s3.client.put_object(Bucket=self.bucket, Key=key, Body=body)

    def get_json(self, key: str) -> Any:
        return json.loads(self.s3.client.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def keys(self, prefix: str) -> list[str]:
        found = self.s3.client.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [each["Key"] for each in found.get("Contents", [])]

    def python(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run this Python with arguments; a failure shows what it wrote."""
        done = subprocess.run(
            [sys.executable, *arguments], env=self.environment, cwd=self.directory,
            capture_output=True, text=True, timeout=RUN_WITHIN, check=False,
        )  # fmt: skip
        if check and done.returncode:
            pytest.fail(f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def flow(self, name: str, *arguments: str, check: bool = True) -> str:
        """Run a flow command; return its output, both streams."""
        done = self.python(str(FLOWS / f"{name}.py"), *arguments, check=check)
        if not check:
            assert done.returncode, f"{name} {arguments} did not fail:\n{done.stdout}"
        return done.stdout + done.stderr

    def report(self, *arguments: str) -> dict[str, Any]:
        """What ml_flows.report prints."""
        return dict(json.loads(self.python("-m", "ml_flows.report", "--json", *arguments).stdout))

    @contextmanager
    def here(self) -> Iterator[None]:
        """Let this process see the world too: its S3 server, and Metaflow's client its runs."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
                patch.delenv(name, raising=False)
            for name, value in self.environment.items():
                if name.startswith(("AWS_", "METAFLOW_USER")):
                    patch.setenv(name, value)
            storage._store.cache_clear()
            if (self.runs / ".metaflow").is_dir():
                metaflow.metadata(f"local@{self.runs}")
            metaflow.namespace("user:tester")
            yield
            storage._store.cache_clear()


@pytest.fixture
def site(s3_server: S3Server, tmp_path: Path) -> Site:
    """An empty world of one's own."""
    return _site(s3_server, tmp_path)


@pytest.fixture
def here(site: Site) -> Iterator[Site]:
    """The same, for this process too."""
    with site.here():
        yield site


@pytest.fixture(scope="session")
def new_site(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Site]:
    """Makes worlds for fixtures that several tests share."""
    return lambda: _site(s3_server, tmp_path_factory.mktemp("site"))


def _site(s3: S3Server, directory: Path) -> Site:
    bucket = f"trip-data-{secrets.token_hex(4)}"
    s3.client.create_bucket(Bucket=bucket)
    return Site(s3, bucket, directory)

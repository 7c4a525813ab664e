"""Real TLC files, a real S3 server, a real HTTP server."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from data_engineering.publish.versions import Published, publish
from data_engineering.storage.objects import Storage
from s3_server import S3Server

from .commands import Listed
from .http_site import Site, site
from .publishing import LOOSE, MADE_OF, Publish
from .trips_files import opened, table, whole_month, write

_SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture(scope="session")
def tlc_file() -> Callable[[str], Path]:
    """Return a function from a file's name to its path, which skips where there is no such file."""
    folder = Path(os.environ.get("TLC_DATA") or _SHARED)

    def find(name: str) -> Path:
        path = folder / name
        if not path.is_file():
            pytest.skip(f"no real TLC file {path}: set TLC_DATA to the folder that has it")
        return path

    return find


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Return the S3 server, and let the test's environment name it."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture(params=["s3", "folder"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """Return an empty storage of each kind."""
    if request.param == "folder":
        return Storage(str(tmp_path / "root"))
    server = request.getfixturevalue("s3")
    return Storage(f"s3://{server.bucket}/{tmp_path.name}")


@pytest.fixture
def web() -> Iterator[Site]:
    with site() as running:
        yield running


@pytest.fixture
def published(storage: Storage, tmp_path: Path) -> Publish:
    """Return a function that publishes a month of so many trips, each run another input."""

    def run(rows: int = 62, name: str = "", **changed: Any) -> Published:
        trips = whole_month(a_day=-(-rows // 31))[:rows]
        path = write(tmp_path, table([{**trip, **changed} for trip in trips]), f"{rows}.parquet")
        made_of = replace(MADE_OF, sha256=hashlib.sha256(f"{rows} {name}".encode()).hexdigest())
        return publish(storage, "green", "2024-01", opened(path), made_of, LOOSE)

    return run


@pytest.fixture
def root(s3: S3Server, tmp_path: Path) -> str:
    return f"s3://{s3.bucket}/{tmp_path.name}"


@pytest.fixture
def listed(s3: S3Server, tmp_path: Path) -> Listed:
    """Return a function that lists what lies where readers look."""
    client = boto3.client("s3")

    def keys() -> list[str]:
        answer = client.list_objects_v2(Bucket=s3.bucket, Prefix=f"{tmp_path.name}/features/")
        return [each["Key"] for each in answer.get("Contents", ())]

    return keys

"""Every bad input, from the command line to a real S3 server: what is said, what readers see."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import boto3
import polars as pl
import pytest
from data_engineering.__main__ import main
from s3_server import S3Server, free_ports

from .http_site import Site
from .trips_files import row, table, write

Published = Callable[[], list[str]]


@pytest.fixture
def root(s3: S3Server, tmp_path: Path) -> str:
    return f"s3://{s3.bucket}/{tmp_path.name}"


@pytest.fixture
def published(s3: S3Server, tmp_path: Path) -> Published:
    """Return a function that lists what lies where readers look."""
    client = boto3.client("s3")

    def keys() -> list[str]:
        answer = client.list_objects_v2(Bucket=s3.bucket, Prefix=f"{tmp_path.name}/features/")
        return [each["Key"] for each in answer.get("Contents", ())]

    return keys


def run(root: str, source: str, month: str = "2024-01") -> int:
    return main(["--month", month, "--source", source, "--root", root])


def corrupted(path: Path, first: int, length: int) -> Path:
    content = bytearray(path.read_bytes())
    content[first : first + length] = bytes(length)
    path.write_bytes(content)
    return path


def test_good_input_for_comparison(
    root: str, tmp_path: Path, published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, table([row(), row(trip_distance=0.0)]))
    assert run(root, str(path)) == 0
    said = capsys.readouterr().out
    assert "zero_distance                      1" in said
    assert f"path: {path}" in said
    assert [key.rpartition("/")[2] for key in published()] == [
        "dataset.json",
        "features.parquet",
        "current.json",
    ]


FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a missing file": (lambda to: to / "jan.parquet", "there is no file {path}"),
    "no bytes": (lambda to: _raw(to, b""), "{path} is not a Parquet file: it is empty"),
    "a web page": (
        lambda to: _raw(to, b"<html>" * 99),
        "{path} is not a Parquet file: it begins with b'<html>",
    ),
    "a CSV file": (
        lambda to: _raw(to, b"VendorID,lpep_pickup_datetime\n1,2024-01-01\n"),
        "{path} is not a Parquet file: it begins with b'VendorID",
    ),
    "a cut file": (
        lambda to: _raw(to, write(to, table([row()] * 9)).read_bytes()[:-20]),
        "{path} cannot be read as Parquet",
    ),
    "broken pages": (
        lambda to: corrupted(write(to, table([row()] * 5000)), 4, 400),
        "{path} cannot be read as Parquet",
    ),
    "no rows": (lambda to: write(to, table([row()]).clear()), "{path} has no rows"),
    "another month": (
        lambda to: write(to, table([row(lpep_pickup_datetime=datetime(2023, 5, 1))])),
        "{path} has 1 rows, but none of 2024-01: its pickups run from 2023-05-01",
    ),
    "no usable trip": (
        lambda to: write(to, table([row(trip_distance=0.0)])),
        "{path} has 1 rows, but none is a usable trip: zero_distance 1",
    ),
    "a missing column": (
        lambda to: write(to, table([row()]).drop("trip_distance")),
        "{path} has no column trip_distance",
    ),
    "text for a number": (
        lambda to: write(to, table([row()]).with_columns(trip_distance=pl.lit("2 miles"))),
        "column trip_distance of {path} has the type String: it must be a number",
    ),
    "text for a time": (
        lambda to: write(
            to, table([row()]).with_columns(pl.col("lpep_pickup_datetime").cast(pl.String))
        ),
        "column lpep_pickup_datetime of {path} has the type String: it must be a timestamp",
    ),
}


def _raw(folder: Path, content: bytes) -> Path:
    path = folder / "jan.parquet"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("what", list(FILES))
def test_a_bad_file_is_named_and_nothing_is_published(
    what: str,
    root: str,
    tmp_path: Path,
    published: Published,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make, said = FILES[what]
    path = make(tmp_path)
    assert run(root, str(path)) == 1
    (error,) = (line for line in capsys.readouterr().err.splitlines() if "error: " in line)
    assert said.format(path=path) in error
    assert published() == []


def test_readers_keep_the_version_before_when_the_next_month_file_is_bad(
    root: str, tmp_path: Path, published: Published
) -> None:
    path = write(tmp_path, table([row()]))
    assert run(root, str(path)) == 0
    before = published()
    write(tmp_path, table([row()]).drop("fare_amount"))
    assert run(root, str(path)) == 1
    assert published() == before


def test_a_url_that_has_no_such_file(
    root: str, web: Site, published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, f"{web.url}/trips") == 1
    url = f"{web.url}/trips/green_tripdata_2024-01.parquet"
    assert f"error: {url} answers 404 Not Found" in capsys.readouterr().err
    assert published() == []


def test_a_url_that_refuses(
    root: str, published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    (port,) = free_ports(1)
    assert run(root, f"http://127.0.0.1:{port}/a.parquet") == 1
    said = capsys.readouterr().err
    assert f"error: http://127.0.0.1:{port}/a.parquet cannot be reached" in said
    assert "refused" in said
    assert published() == []


def test_a_url_serves_a_month(
    root: str, web: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = write(tmp_path, table([row()])).read_bytes()
    web.files["/trips/green_tripdata_2024-01.parquet"] = content
    assert run(root, f"{web.url}/trips") == 0
    assert f"url: {web.url}/trips/green_tripdata_2024-01.parquet" in capsys.readouterr().out


def test_a_bucket_serves_a_month(
    root: str, s3: S3Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, table([row()]))
    key = f"{tmp_path.name}/in/green_tripdata_2024-01.parquet"
    boto3.client("s3").upload_file(str(path), s3.bucket, key)
    assert run(root, f"{root}/in") == 0
    assert f"url: s3://{s3.bucket}/{key}" in capsys.readouterr().out
    assert run(root, f"{root}/in", "2024-02") == 1
    assert "green_tripdata_2024-02.parquet: there is no such object" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_credentials_name_server_and_bucket_and_show_no_secret(
    name: str,
    root: str,
    s3: S3Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write(tmp_path, table([row()]))
    monkeypatch.setenv(name, "wrong" * 4)
    assert run(root, str(path)) == 1
    said = capsys.readouterr().err
    assert f"the S3 server {s3.url} refused the credentials for bucket {s3.bucket}" in said
    assert s3.secret_key not in said
    assert "wrongwrong" not in said


def test_a_missing_bucket_is_named(
    s3: S3Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, table([row()]))
    assert run("s3://no-such-bucket", str(path)) == 1
    assert f"there is no bucket no-such-bucket at {s3.url}" in capsys.readouterr().err
    assert run(f"s3://{s3.bucket}/{tmp_path.name}", "s3://no-such-bucket/trips") == 1
    assert f"there is no bucket no-such-bucket at {s3.url}" in capsys.readouterr().err


def test_a_server_that_does_not_listen_is_named(
    s3: S3Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    assert run(f"s3://{s3.bucket}", str(write(tmp_path, table([row()])))) == 1
    assert f"the S3 server http://127.0.0.1:{port} does not answer" in capsys.readouterr().err


def test_parameters_that_make_no_sense(root: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "generator", "2024-13") == 1
    assert "month is '2024-13': it must read YYYY-MM" in capsys.readouterr().err
    assert main(["--source", "generator", "--rows", "0", "--root", root]) == 1
    assert "rows is 0" in capsys.readouterr().err


def test_generated_trips_say_so_in_current_json(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert main(["--source", "generator", "--rows", "500", "--root", str(folder)]) == 0
    current = json.loads((folder / "features/green/2024-01/current.json").read_text())
    assert current["contract"] == 1
    assert (current["cab"], current["month"]) == ("green", "2024-01")
    assert current["source"] == "generator"
    assert current["rows_read"] == 500 == current["rows"] + sum(current["set_aside"].values())
    features = pl.read_parquet(current["uri"])
    assert len(features) == current["rows"] == current["rows_kept"]
    assert {name: str(dtype) for name, dtype in features.schema.items()} == current["columns"]

"""Every bad input, from the command line to a real S3 server: what is said, what readers see."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import boto3
import polars as pl
import pytest
from data_engineering.cli import main
from s3_server import S3Server, free_ports

from .http_site import Site
from .trips_files import row, table, whole_month, write

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
    path = write(tmp_path, table(whole_month(row(trip_distance=0.0))))
    assert run(root, str(path)) == 0
    said = capsys.readouterr().out
    assert "zero_distance                      1" in said
    assert f"path: {path}" in said
    assert [key.rpartition("/")[2] for key in published()] == [
        "dataset.json",
        "features.parquet",
        "pairs.parquet",
        "quarantine.parquet",
        "schema.json",
        "current.json",
    ]


FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a missing file": (lambda to: to / "jan.parquet", "there is no file {path}"),
    "no bytes": (lambda to: _raw(to, b""), "{path} is empty"),
    "a web page": (
        lambda to: _raw(to, b"<html>secret" * 99),
        "{path} is neither a Parquet file nor a CSV file with TLC's columns",
    ),
    "a CSV file without a column": (
        lambda to: _raw(to, b"VendorID,lpep_pickup_datetime\n1,2024-01-01\n"),
        "{path} has no column lpep_dropoff_datetime, PULocationID",
    ),
    "a CSV file with a cut row": (
        lambda to: _raw(to, _csv(whole_month()) + b"1,secret"),
        "{path} cannot be read as CSV: it is damaged or cut off",
    ),
    "a cut gzip file": (
        lambda to: _raw(to, gzip.compress(_csv(whole_month()))[:-20]),
        "{path} cannot be read as CSV: it is damaged or cut off",
    ),
    "a gzip file of something else": (
        lambda to: _raw(to, gzip.compress(b"secret")),
        "{path} is neither a Parquet file nor a CSV file with TLC's columns",
    ),
    "another month in most rows": (
        lambda to: write(
            to, table([*whole_month(), *[row(lpep_pickup_datetime=datetime(2023, 12, 1))] * 9])
        ),
        "12.7% of its rows are of other months than 2024-01 (2.0% at most)",
    ),
    "half a month": (
        lambda to: write(to, table(whole_month()[:30])),
        "16 days have no trip: 16-31 (1 at most)",
    ),
    "mostly rows that are no trips": (
        lambda to: write(
            to, table(whole_month(*(row(trip_distance=0.0, fare_amount=n) for n in range(40))))
        ),
        "39.2% of its rows are set aside (25.0% at most)",
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


def _csv(rows: list[dict[str, object]]) -> bytes:
    return table(rows).write_csv(datetime_format="%Y-%m-%d %H:%M:%S").encode()


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
    assert "secret" not in error
    assert [key for key in published() if key.endswith("current.json")] == []
    if "held back" not in error:
        assert published() == []


def test_readers_keep_the_version_before_when_the_next_month_file_is_bad(
    root: str, tmp_path: Path, published: Published
) -> None:
    path = write(tmp_path, table(whole_month()))
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
    content = write(tmp_path, table(whole_month())).read_bytes()
    web.files["/trips/green_tripdata_2024-01.parquet"] = content
    assert run(root, f"{web.url}/trips") == 0
    assert f"url: {web.url}/trips/green_tripdata_2024-01.parquet" in capsys.readouterr().out


def test_a_file_that_has_not_changed_is_not_fetched_again(
    tmp_path: Path, web: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "/trips/green_tripdata_2024-01.parquet"
    web.files[name] = write(tmp_path, table(whole_month())).read_bytes()
    for _ in range(2):
        assert run(str(tmp_path / "out"), f"{web.url}/trips") == 0
    assert "green 2024-01: unchanged" in capsys.readouterr().out
    assert len(web.gets()) == 1
    web.tag = '"two"'
    web.files[name] = write(tmp_path, table(whole_month(a_day=3))).read_bytes()
    assert run(str(tmp_path / "out"), f"{web.url}/trips") == 0
    assert "green 2024-01: published" in capsys.readouterr().out


def test_a_bucket_serves_a_month(
    root: str, s3: S3Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, table(whole_month()))
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


def test_made_up_trips_say_so_and_lie_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert main(["--source", "generator", "--rows", "500", "--root", str(folder)]) == 0
    assert "green 2024-01 (made up): published" in capsys.readouterr().out
    assert sorted(path.name for path in folder.iterdir()) == ["made-up"]
    current = json.loads((folder / "made-up/features/green/2024-01/current.json").read_text())
    assert (current["contract"], current["made_up"]) == (2, True)
    assert (current["cab"], current["month"]) == ("green", "2024-01")
    assert current["source"] == "generator"
    assert current["rows_read"] == 500 == current["rows"] + sum(current["set_aside"].values())
    features = pl.read_parquet(current["uri"])
    assert len(features) == current["rows"] == current["rows_kept"]
    assert {name: str(dtype) for name, dtype in features.schema.items()} == current["columns"]


def test_real_trips_stay_when_tlc_cannot_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(str(out), str(write(tmp_path, table(whole_month())))) == 0
    before = (out / "features/green/2024-01/current.json").read_bytes()
    (port,) = free_ports(1)
    monkeypatch.setenv("TLC_TRIP_DATA_URL", f"http://127.0.0.1:{port}")
    assert run(str(out), "") == 1
    assert "for made-up ones ask for them: --source generator" in capsys.readouterr().err
    assert (out / "features/green/2024-01/current.json").read_bytes() == before


def test_a_held_month_names_the_command_that_publishes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(str(out), str(write(tmp_path, table([row()])))) == 1
    said = capsys.readouterr().err
    command = said.partition("python -m data_engineering ")[2].split()
    assert command[0] == "publish-held"
    assert main(command) == 0
    assert "although 30 days have no trip" in capsys.readouterr().out
    assert (out / "features/green/2024-01/current.json").exists()


def test_a_month_that_fails_stops_no_other_and_running_again_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, table(whole_month()))
    command = ["backfill", "2023-12..2024-02", "--source", str(tmp_path)]
    command += ["--root", str(tmp_path / "out")]
    assert main(command) == 1
    said = capsys.readouterr()
    assert "2 of 3 months failed: 2023-12, 2024-02" in said.err
    assert "green 2024-01: published" in said.out
    assert main(command) == 1
    assert "green 2024-01: unchanged" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["csv", "csv.gz"])
def test_csv_files_give_the_same_rows_as_parquet(tmp_path: Path, form: str) -> None:
    rows = whole_month(row(trip_distance=0.0), row(passenger_count=None))
    content = _csv(rows)
    path = tmp_path / f"green_tripdata_2024-01.{form}"
    path.write_bytes(gzip.compress(content) if form == "csv.gz" else content)
    assert run(str(tmp_path / "csv"), str(path)) == 0
    assert run(str(tmp_path / "parquet"), str(write(tmp_path, table(rows)))) == 0
    frames = []
    for name in ("csv", "parquet"):
        current = tmp_path / name / "features/green/2024-01/current.json"
        frames.append(pl.read_parquet(json.loads(current.read_text())["uri"]))
    assert frames[0].equals(frames[1])


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "AWS_CA_BUNDLE"])
def test_a_file_of_certificates_that_is_gone_is_named_with_its_variable(
    root: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv(variable, "/gone/cacert.pem")
    assert run(root, "") == 1
    assert f"{variable} is '/gone/cacert.pem', which is no file" in capsys.readouterr().err

"""Places that do not answer, refuse, or have no such file: what is said, what readers see."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest
from s3_server import S3Server, free_ports

from .commands import Listed, run
from .http_site import Site
from .trips_files import row, table, whole_month, write


def test_a_url_that_has_no_such_file(
    root: str, web: Site, listed: Listed, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, f"{web.url}/trips") == 1
    url = f"{web.url}/trips/green_tripdata_2024-01.parquet"
    assert f"error: {url} answers 404 Not Found" in capsys.readouterr().err
    assert listed() == []


def test_a_url_that_refuses(root: str, listed: Listed, capsys: pytest.CaptureFixture[str]) -> None:
    (port,) = free_ports(1)
    assert run(root, f"http://127.0.0.1:{port}/a.parquet") == 1
    said = capsys.readouterr().err
    assert f"error: http://127.0.0.1:{port}/a.parquet cannot be reached" in said
    assert "refused" in said
    assert listed() == []


def test_a_url_serves_a_month(
    root: str, web: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = write(tmp_path, table(whole_month())).read_bytes()
    web.files["/trips/green_tripdata_2024-01.parquet"] = content
    assert run(root, f"{web.url}/trips") == 0
    assert f"url: {web.url}/trips/green_tripdata_2024-01.parquet" in capsys.readouterr().out


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

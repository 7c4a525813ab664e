"""Storages on a real S3 server and in a folder: what they keep, and how they fail."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import polars as pl
import pytest
from data_engineering import tables
from data_engineering.errors import BadInputError, UnavailableError
from data_engineering.storage import Storage, default_root, open_storage
from s3_server import S3Server

TABLE = pl.LazyFrame({"a": [1, 2, 3]})


def test_what_was_put_can_be_read(storage: Storage) -> None:
    storage.check()
    storage.put("some/where/a.json", b"0123456789")
    assert storage.get("some/where/a.json") == b"0123456789"
    assert storage.get("some/where/a.json", first=4) == b"0123"
    assert storage.get("some/where/a.json", first=99) == b"0123456789"
    storage.put("some/where/a.json", b"")
    assert storage.get("some/where/a.json", first=4) == b""
    assert storage.get("some/where/b.json") is None


def test_an_uploaded_file_is_the_same(storage: Storage, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 50_000)  # more than one part of a multipart upload
    storage.upload(path, "a/file")
    assert storage.get("a/file") == path.read_bytes()


def test_keys_are_listed_and_deleted_by_prefix(storage: Storage) -> None:
    for key in ("a/1", "a/2/3", "ab/4", "b"):
        storage.put(key, b"x")
    assert sorted(storage.keys("a/")) == ["a/1", "a/2/3"]
    assert sorted(storage.keys("a")) == ["a/1", "a/2/3", "ab/4"]
    storage.delete("a/")
    assert sorted(storage.keys("")) == ["ab/4", "b"]
    assert storage.keys("nothing/") == []


def test_polars_reads_and_writes_where_we_do(storage: Storage) -> None:
    tables.sink(storage, TABLE, "t/a.parquet")
    assert tables.scan(storage, "t/a.parquet").collect().equals(TABLE.collect())
    assert storage.keys("t/") == ["t/a.parquet"]


@pytest.mark.parametrize("content", [b"<html>no file</html>" * 20, b"PAR1 and no more", b""])
def test_what_is_not_parquet_is_the_files_fault(storage: Storage, content: bytes) -> None:
    storage.put("t/a.parquet", content)
    with (
        pytest.raises(BadInputError, match="my file cannot be read as Parquet"),
        tables.explained("reading", "my file"),
    ):
        tables.scan(storage, "t/a.parquet").collect()


def test_unfinished_uploads_are_dropped_when_they_are_old(s3: S3Server) -> None:
    client = boto3.client("s3")

    def open_uploads() -> list[str]:
        answer = client.list_multipart_uploads(Bucket=s3.bucket, Prefix="unfinished/")
        return [each["Key"] for each in answer.get("Uploads", [])]

    storage = open_storage(f"s3://{s3.bucket}/unfinished")
    upload = client.create_multipart_upload(Bucket=s3.bucket, Key="unfinished/f/a.parquet")
    client.upload_part(
        Bucket=s3.bucket, Key="unfinished/f/a.parquet", UploadId=upload["UploadId"],
        PartNumber=1, Body=b"x" * 100,
    )  # fmt: skip
    now = datetime.now(UTC)
    assert storage.drop_uploads("f/", now - timedelta(hours=1)) == 0
    assert open_uploads() == ["unfinished/f/a.parquet"]
    assert storage.drop_uploads("other/", now + timedelta(hours=1)) == 0
    assert storage.drop_uploads("f/", now + timedelta(hours=1)) == 1
    assert open_uploads() == []


ALL_USES = {
    "check": lambda storage: storage.check(),
    "put": lambda storage: storage.put("a", b"x"),
    "get": lambda storage: storage.get("a"),
    "keys": lambda storage: storage.keys(""),
    "upload": lambda storage: storage.upload(Path(__file__), "a"),
}


@pytest.mark.parametrize("use", ALL_USES.values(), ids=ALL_USES)
@pytest.mark.parametrize(
    ("variable", "code"),
    [
        ("AWS_SECRET_ACCESS_KEY", "SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "InvalidAccessKeyId"),
    ],
)
def test_wrong_credentials_are_refused_by_bucket_and_server(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, use, variable: str, code: str
) -> None:
    monkeypatch.setenv(variable, "wrong-wrong-wrong")
    with pytest.raises(BadInputError) as raised:
        use(open_storage(f"s3://{s3.bucket}"))
    said = str(raised.value)
    assert f"{s3.url} refused the credentials for bucket {s3.bucket} ({code})" in said
    assert s3.secret_key not in said
    assert "wrong-wrong-wrong" not in said


def test_no_credentials_at_all_are_asked_for(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(BadInputError, match=f"no credentials for the S3 server {s3.url}"):
        open_storage(f"s3://{s3.bucket}").check()
    with pytest.raises(BadInputError, match=f"no credentials for the S3 server {s3.url}"):
        tables.sink(open_storage(f"s3://{s3.bucket}"), TABLE, "t/a.parquet")


@pytest.mark.parametrize("use", ALL_USES.values(), ids=ALL_USES)
def test_a_missing_bucket_is_named(s3: S3Server, use) -> None:
    with pytest.raises(BadInputError, match=f"there is no bucket not-there at {s3.url}: create it"):
        use(open_storage("s3://not-there/prefix"))


@pytest.fixture
def dead_server(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let the environment name a port that is taken but that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield url


@pytest.mark.parametrize("use", ALL_USES.values(), ids=ALL_USES)
def test_a_dead_server_may_come_back(dead_server: str, use) -> None:
    began = time.monotonic()
    with pytest.raises(UnavailableError, match=f"the S3 server {dead_server} does not answer"):
        use(open_storage("s3://trip-data"))
    assert time.monotonic() - began < 30


def test_polars_too_tells_a_dead_server_from_a_bad_file(dead_server: str) -> None:
    storage = open_storage("s3://trip-data")
    with pytest.raises(UnavailableError, match="the storage failed"):
        tables.sink(storage, TABLE, "t/a.parquet")
    with (
        pytest.raises(UnavailableError, match="the storage failed"),
        tables.explained("reading", "my file"),
    ):
        tables.scan(storage, "t/a.parquet").collect()


def test_polars_refused_is_final(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-wrong-wrong")
    with pytest.raises(BadInputError, match="the storage refused us"):
        tables.sink(open_storage(f"s3://{s3.bucket}"), TABLE, "t/a.parquet")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    storage = open_storage(str(tmp_path / "file" / "root"))
    with pytest.raises(BadInputError, match=f"cannot make the folder {tmp_path}/file/root"):
        storage.check()
    with pytest.raises(BadInputError, match=f"cannot write {tmp_path}/file/root/a"):
        storage.put("a", b"x")


def test_the_root_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRIP_DATA_ROOT", raising=False)
    assert default_root() == "s3://trip-data"
    monkeypatch.setenv("TRIP_DATA_ROOT", "s3://other/place")
    assert default_root() == "s3://other/place"


@pytest.mark.parametrize("root", ["s3://", "s3:///prefix"])
def test_a_root_without_bucket_is_refused(root: str) -> None:
    with pytest.raises(BadInputError, match="it must read s3://bucket/prefix"):
        open_storage(root)

"""Storages on a real S3 server and in a folder: what they keep, and how they fail."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_engineering.contract.months import data_root
from data_engineering.errors import BadInputError, UnavailableError
from data_engineering.storage.objects import Storage
from s3_server import S3Server


def test_what_was_put_can_be_read(storage: Storage) -> None:
    storage.check()
    storage.put("some/where/a.json", b"0123456789")
    assert storage.get("some/where/a.json") == b"0123456789"
    storage.put("some/where/a.json", b"")
    assert storage.get("some/where/a.json") == b""
    assert storage.get("some/where/b.json") is None


def test_an_uploaded_file_is_the_same(storage: Storage, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 50_000)  # more than one part of a multipart upload
    storage.upload(path, "a/file")
    assert storage.get("a/file") == path.read_bytes()


def test_keys_are_listed_and_deleted_by_folder(storage: Storage) -> None:
    for key in ("a/1", "a/2/3", "ab/4", "b"):
        storage.put(key, b"x")
    assert storage.keys("a") == ["a/1", "a/2/3"]
    assert storage.folders("") == ["a", "ab"]
    storage.delete_all("a")
    assert storage.keys("") == ["ab/4", "b"]
    assert storage.keys("nothing") == []
    storage.delete("nothing")


def test_an_object_is_made_only_once_if_asked_so(storage: Storage) -> None:
    assert storage.put("a", b"1", create=True)
    assert not storage.put("a", b"2", create=True)
    assert storage.get("a") == b"1"


def test_an_object_that_somebody_changed_is_not_overwritten(s3: S3Server, tmp_path: Path) -> None:
    storage = Storage(f"s3://{s3.bucket}/{tmp_path.name}")
    storage.put("a", b"1")
    found = storage.get_tagged("a")
    assert found is not None
    storage.put("a", b"2")
    assert not storage.put("a", b"3", tag=found[1])
    assert storage.get("a") == b"2"


def test_what_is_written_in_parts_appears_at_the_end_or_not_at_all(storage: Storage) -> None:
    part = bytes(1_000_000)
    with storage.writing("t/a") as file:
        for _ in range(12):
            file.write(part)
        assert storage.stat("t/a") is None
    assert storage.keys("t") == ["t/a"]
    stat = storage.stat("t/a")
    assert stat is not None
    assert stat.size == 12_000_000
    with pytest.raises(RuntimeError, match="in the middle"):
        _write_parts(storage, "t/b", RuntimeError("in the middle"))
    assert storage.keys("t") == ["t/a"]


def test_any_part_of_an_object_can_be_read(storage: Storage) -> None:
    content = io.BytesIO()
    pq.write_table(pa.table({"a": range(1000)}), content)
    storage.put("t/a.parquet", content.getvalue())
    with storage.reading("t/a.parquet") as file, pq.ParquetFile(file) as parquet:
        assert parquet.read()["a"].to_pylist() == list(range(1000))


def test_the_storage_has_a_clock(storage: Storage) -> None:
    assert abs(storage.now() - datetime.now(UTC)) < timedelta(seconds=5)
    storage.put("a/b", b"x")
    last = storage.last_written("a")
    assert last is not None
    assert abs(last - storage.now()) < timedelta(seconds=5)
    assert storage.last_written("c") is None
    assert storage.keys("") == ["a/b"]


def test_unfinished_uploads_are_dropped_when_they_are_old(s3: S3Server) -> None:
    client = boto3.client("s3")

    def open_uploads() -> list[str]:
        answer = client.list_multipart_uploads(Bucket=s3.bucket, Prefix="unfinished/")
        return [each["Key"] for each in answer.get("Uploads", [])]

    storage = Storage(f"s3://{s3.bucket}/unfinished")
    upload = client.create_multipart_upload(Bucket=s3.bucket, Key="unfinished/f/a.parquet")
    client.upload_part(
        Bucket=s3.bucket, Key="unfinished/f/a.parquet", UploadId=upload["UploadId"],
        PartNumber=1, Body=b"x" * 100,
    )  # fmt: skip
    assert storage.drop_uploads("f/", timedelta(hours=1)) == 0
    assert open_uploads() == ["unfinished/f/a.parquet"]
    assert storage.drop_uploads("other/", -timedelta(hours=1)) == 0
    assert storage.drop_uploads("f/", -timedelta(hours=1)) == 1
    assert open_uploads() == []


ALL_USES = {
    "check": lambda storage: storage.check(),
    "put": lambda storage: storage.put("a", b"x"),
    "get": lambda storage: storage.get("a"),
    "keys": lambda storage: storage.keys(""),
    "folders": lambda storage: storage.folders("a"),
    "parts": lambda storage: _write_parts(storage),
    "upload": lambda storage: storage.upload(Path(__file__), "a"),
}


def _write_parts(storage: Storage, key: str = "a", then: Exception | None = None) -> None:
    with storage.writing(key) as file:
        file.write(bytes(12_000_000))
        if then:
            raise then


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
        use(Storage(f"s3://{s3.bucket}"))
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
        Storage(f"s3://{s3.bucket}").check()
    with pytest.raises(BadInputError, match=f"no credentials for the S3 server {s3.url}"):
        Storage(f"s3://{s3.bucket}").put("a", b"x")


@pytest.mark.parametrize("use", ALL_USES.values(), ids=ALL_USES)
def test_a_missing_bucket_is_named(s3: S3Server, use) -> None:
    with pytest.raises(BadInputError, match=f"there is no bucket not-there at {s3.url}: create it"):
        use(Storage("s3://not-there/prefix"))


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
        use(Storage("s3://trip-data"))
    assert time.monotonic() - began < 30


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BadInputError, match=f"opening {tmp_path}/file/root: Not a directory"):
        Storage(str(tmp_path / "file" / "root"))


def test_the_root_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRIP_DATA_ROOT", raising=False)
    assert data_root() == "s3://trip-data"
    monkeypatch.setenv("TRIP_DATA_ROOT", "s3://other/place")
    assert data_root() == "s3://other/place"


@pytest.mark.parametrize("root", ["s3://", "s3:///prefix"])
def test_a_root_without_bucket_is_refused(root: str) -> None:
    with pytest.raises(BadInputError, match="it must read s3://bucket/prefix"):
        Storage(root)

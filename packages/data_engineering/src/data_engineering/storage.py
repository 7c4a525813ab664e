"""Where datasets are kept: an S3 prefix, or a local folder for work without a server.

Both show an object only when all of it is there.
"""

# ruff: noqa: D102 - what a method does is said once, in the Protocol

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import ClientError

from data_engineering import contract, s3
from data_engineering.errors import BadInputError


def default_root() -> str:
    """Return $TRIP_DATA_ROOT, or the data team's bucket."""
    return os.environ.get("TRIP_DATA_ROOT") or contract.DEFAULT_ROOT


class Storage(Protocol):
    """Objects under one root, by key ("features/green/…")."""

    def uri(self, key: str) -> str:
        """Return where the object lies, for readers and for Polars."""

    @property
    def polars_options(self) -> dict[str, Any] | None:
        """Return the `storage_options` with which Polars reads and writes here."""

    def check(self) -> None:
        """Make sure that the root exists and takes our credentials; DataError otherwise."""

    def put(self, key: str, content: bytes) -> None:
        """Write one object at once."""

    def upload(self, path: Path, key: str) -> None:
        """Copy a local file here."""

    def get(self, key: str, first: int | None = None) -> bytes | None:
        """Return an object, or its `first` bytes; None if there is none."""

    def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin with `prefix`."""

    def delete(self, prefix: str) -> None:
        """Remove all objects whose keys begin with `prefix`."""

    def drop_uploads(self, prefix: str, before: datetime) -> int:
        """Remove what uploads begun before that time and never ended left; return how many."""


def open_storage(root: str) -> Storage:
    """Return the storage at `root`: s3://bucket/prefix, or a folder's path."""
    return S3Storage(root) if root.startswith("s3://") else LocalStorage(root)


class S3Storage:
    """An S3 prefix; server and credentials come from the AWS_* environment."""

    def __init__(self, root: str) -> None:
        self.bucket, self._prefix = s3.bucket_and_key(root)
        self._session, self._s3 = s3.connect()

    def _key(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{self._key(key)}"

    @property
    def polars_options(self) -> dict[str, Any]:
        # From boto3 and not from the environment, so that both always mean the same server.
        found = self._session.get_credentials()
        if found is None:
            raise BadInputError(
                f"no credentials for the S3 server {self._s3.meta.endpoint_url}: set "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        frozen = found.get_frozen_credentials()
        options = {
            "aws_access_key_id": frozen.access_key,
            "aws_secret_access_key": frozen.secret_key,
            "aws_session_token": frozen.token,
            "aws_region": self._s3.meta.region_name,
            "aws_endpoint_url": self._s3.meta.endpoint_url,
            "aws_allow_http": "true",
            "max_retries": 4,
        }
        return {name: value for name, value in options.items() if value is not None}

    def check(self) -> None:
        with self._explained(f"opening {self.uri('')}"):
            self._s3.list_objects_v2(Bucket=self.bucket, Prefix=self._key(""), MaxKeys=1)

    def put(self, key: str, content: bytes) -> None:
        with self._explained(f"writing {self.uri(key)}"):
            self._s3.put_object(Bucket=self.bucket, Key=self._key(key), Body=content)

    def upload(self, path: Path, key: str) -> None:
        with self._explained(f"writing {self.uri(key)}"):
            self._s3.upload_file(str(path), self.bucket, self._key(key))

    def get(self, key: str, first: int | None = None) -> bytes | None:
        span = {} if first is None else {"Range": f"bytes=0-{first - 1}"}
        with self._explained(f"reading {self.uri(key)}"):
            try:
                answer = self._s3.get_object(Bucket=self.bucket, Key=self._key(key), **span)
            except ClientError as error:
                if s3.is_missing_object(error):
                    return None
                if error.response["Error"]["Code"] == "InvalidRange":
                    return b""
                raise
            return bytes(answer["Body"].read())

    def keys(self, prefix: str) -> list[str]:
        below = len(self._key(""))
        with self._explained(f"listing {self.uri(prefix)}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self._key(prefix)
            )
            return [each["Key"][below:] for page in pages for each in page.get("Contents", ())]

    def delete(self, prefix: str) -> None:
        for key in self.keys(prefix):
            with self._explained(f"deleting {self.uri(key)}"):
                self._s3.delete_object(Bucket=self.bucket, Key=self._key(key))

    def drop_uploads(self, prefix: str, before: datetime) -> int:
        dropped = 0
        with self._explained(f"listing unfinished uploads to {self.uri(prefix)}"):
            pages = self._s3.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.bucket, Prefix=self._key(prefix)
            )
            for upload in (each for page in pages for each in page.get("Uploads", ())):
                if upload["Initiated"] < before:
                    self._s3.abort_multipart_upload(
                        Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )
                    dropped += 1
        return dropped

    def _explained(self, doing: str) -> AbstractContextManager[None]:
        return s3.explained(self._s3, self.bucket, doing)


class LocalStorage:
    """A folder; an object is written beside its name and then renamed."""

    polars_options = None

    def __init__(self, root: str) -> None:
        self._root = Path(root).expanduser().absolute()

    def uri(self, key: str) -> str:
        return str(self._root / key)

    def check(self) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInputError(f"cannot make the folder {self._root}: {error}") from error

    def put(self, key: str, content: bytes) -> None:
        with self._writing(key) as part:
            part.write_bytes(content)

    def upload(self, path: Path, key: str) -> None:
        with self._writing(key) as part:
            shutil.copyfile(path, part)

    def get(self, key: str, first: int | None = None) -> bytes | None:
        path = self._root / key
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return file.read() if first is None else file.read(first)

    def keys(self, prefix: str) -> list[str]:
        files = (path for path in self._root.rglob("*") if path.is_file())
        found = (path.relative_to(self._root).as_posix() for path in files)
        return sorted(key for key in found if key.startswith(prefix))

    def delete(self, prefix: str) -> None:
        for key in self.keys(prefix):
            (self._root / key).unlink()

    def drop_uploads(self, prefix: str, before: datetime) -> int:
        return 0

    @contextmanager
    def _writing(self, key: str) -> Iterator[Path]:
        path = self._root / key
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            try:
                yield part
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise BadInputError(f"cannot write {path}: {error}") from error

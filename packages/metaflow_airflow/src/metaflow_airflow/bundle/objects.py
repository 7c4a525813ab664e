"""The objects of a versioned bundle, in a folder or in S3: nobody ever reads half of one."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

_LOCK = ".bundle.lock"
# Someone else was first: their object is there (412), or they are writing it (409).
_NOT_FIRST = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_MISSING = frozenset({"NoSuchKey", "404"})


@dataclass(frozen=True)
class Stored:
    """An object that is there: its name, and when it was written last (Unix time)."""

    name: str
    written: float


class Objects(Protocol):
    """Objects by name (a path with slashes)."""

    def read(self, name: str) -> bytes | None:
        """An object's content; None if there is none."""

    def put(self, name: str, content: bytes) -> None:
        """Put an object in place at once."""

    def replace(self, name: str, content: bytes, former: bytes) -> bool:
        """Put an object in place if its content is still `former`; whether it was."""

    def remove(self, name: str) -> None:
        """Remove an object, if it is there."""

    def all(self) -> Iterator[Stored]:
        """All objects."""


@dataclass(frozen=True)
class FolderObjects:
    """Files of a folder that writers and Airflow see."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

    def read(self, name: str) -> bytes | None:
        """A file's content; None if there is none."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, name: str, content: bytes) -> None:
        """Write beside it and rename."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                os.fchmod(stream.fileno(), 0o644)
                stream.flush()
                # A machine that loses power keeps the name of a file and not its content.
                os.fsync(stream.fileno())
            Path(part).replace(path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise

    def replace(self, name: str, content: bytes, former: bytes) -> bool:
        """Put a file in place if its content is still `former`; whether it was."""
        with (self.folder / _LOCK).open("a") as lock:
            # Held for two small files; it goes with its process.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.read(name) != former:
                return False
            self.put(name, content)
        return True

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        (self.folder / name).unlink(missing_ok=True)

    def all(self) -> Iterator[Stored]:
        """All files, but those that are being written."""
        for path in sorted(self.folder.rglob("*")):
            if path.name == _LOCK or path.name.startswith(".part-"):
                continue
            if path.is_file():
                name = path.relative_to(self.folder).as_posix()
                yield Stored(name, path.stat().st_mtime)


def is_refusal(error: Exception) -> bool:
    """Whether the storage has answered, and would answer the same again: no rights, no bucket."""
    # botocore's ClientError, which is not there where only folders are read.
    answer = getattr(error, "response", None) or {}
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return 400 <= status < 500 and status not in (408, 429)


@dataclass(frozen=True)
class S3Objects:
    """Objects below a prefix of a bucket.

    Args:
        client: boto3's, of whoever reads or writes. prefix: without slashes at its ends.
    """

    client: Any
    bucket: str
    prefix: str

    def __str__(self) -> str:
        return "s3://" + "/".join(filter(None, (self.bucket, self.prefix)))

    def read(self, name: str) -> bytes | None:
        """An object's content; None if there is none."""
        found = self._get(name)
        return None if found is None else found[0]

    def put(self, name: str, content: bytes) -> None:
        """Put the object: one PUT is atomic."""
        self.client.put_object(Bucket=self.bucket, Key=self._key(name), Body=content)

    def replace(self, name: str, content: bytes, former: bytes) -> bool:
        """Put an object in place if its content is still `former`; whether it was."""
        from botocore.exceptions import ClientError

        found = self._get(name)
        if found is None or found[0] != former:
            return False
        try:
            self.client.put_object(
                Bucket=self.bucket, Key=self._key(name), Body=content, IfMatch=found[1]
            )
        except ClientError as error:
            if error.response["Error"].get("Code") in _NOT_FIRST:
                return False
            raise
        return True

    def remove(self, name: str) -> None:
        """Remove an object, if it is there."""
        self.client.delete_object(Bucket=self.bucket, Key=self._key(name))

    def all(self) -> Iterator[Stored]:
        """All objects below the prefix."""
        prefix = self._key("")
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix
        )
        for page in pages:
            for each in page.get("Contents", ()):
                yield Stored(each["Key"][len(prefix) :], each["LastModified"].timestamp())

    def _get(self, name: str) -> tuple[bytes, str] | None:
        from botocore.exceptions import ClientError

        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=self._key(name))
        except ClientError as error:
            if error.response["Error"].get("Code") in _MISSING:
                return None
            raise
        return bytes(answer["Body"].read()), str(answer["ETag"])

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

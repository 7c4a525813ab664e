"""Where DAG files go: a folder that Airflow reads, or the prefix of an S3 DAG bundle."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Protocol

from metaflow_airflow.errors import BridgeError


class Place(Protocol):
    """A place for DAG files."""

    def check(self) -> None:
        """Raise BridgeError when nothing can be put here."""

    def put(self, name: str, text: str) -> str:
        """Put a file in place at once; where it stands now."""

    def remove(self, name: str) -> None:
        """Remove a file; none is fine."""


def place_of(target: str) -> Place:
    """The place that a folder's path or an s3:// URL names."""
    return S3Place(target) if target.startswith("s3://") else FolderPlace(Path(target))


class FolderPlace:
    """A folder on a file system that Airflow's DAG processor sees."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self) -> None:
        """The folder must be there and writable."""
        if not self.folder.is_dir():
            raise BridgeError(f"There is no folder {self.folder} for the DAG file.")
        if not os.access(self.folder, os.W_OK):
            raise BridgeError(
                f"The DAGs folder {self.folder} cannot be written by this user. Choose another "
                "FILE, or ask whoever owns Airflow for access."
            )

    def put(self, name: str, text: str) -> str:
        """Write beside it and rename: Airflow never parses half a file."""
        self.check()
        path = self.folder / name
        descriptor, temporary = tempfile.mkstemp(dir=self.folder, prefix=f".{name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except OSError as error:
            Path(temporary).unlink(missing_ok=True)
            raise BridgeError(f"{path} could not be written: {error}.") from error
        return str(path)

    def remove(self, name: str) -> None:
        """Remove a file; none is fine."""
        (self.folder / name).unlink(missing_ok=True)


class S3Place:
    """The bucket and prefix of an Airflow S3DagBundle; one PUT is atomic there."""

    def __init__(self, url: str) -> None:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self.url = url.rstrip("/")
        self.bucket = bucket
        self.prefix = prefix.strip("/")

    def check(self) -> None:
        """The bucket must be there for these credentials."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client().head_bucket(Bucket=self.bucket)
        except (BotoCoreError, ClientError) as error:
            raise BridgeError(
                f"The DAG bundle {self.url} cannot be used: {error}. Check the bucket's name, the "
                "credentials (AWS_ACCESS_KEY_ID, …) and METAFLOW_S3_ENDPOINT_URL."
            ) from error

    def put(self, name: str, text: str) -> str:
        """Put the object."""
        self.check()
        self._client().put_object(Bucket=self.bucket, Key=self._key(name), Body=text.encode())
        return f"{self.url}/{name}"

    def remove(self, name: str) -> None:
        """Remove the object; none is fine."""
        self._client().delete_object(Bucket=self.bucket, Key=self._key(name))

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def _client(self) -> Any:
        import boto3

        return boto3.client("s3", endpoint_url=os.environ.get("METAFLOW_S3_ENDPOINT_URL"))

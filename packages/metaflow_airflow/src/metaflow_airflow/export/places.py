"""Where DAG files go: a folder that Airflow reads, or the prefix of an S3 DAG bundle."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from metaflow_airflow.bundle.objects import FolderObjects
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.export import s3_place as s3

BUNDLE = "The DAG bundle"  # begins the sentences of errors


class Place(Protocol):
    """A place for DAG files."""

    def check(self) -> None:
        """Raise BridgeError when nothing can be put here."""

    def put(self, name: str, text: str) -> str:
        """Put a file in place at once; where it stands now."""

    def read(self, name: str) -> str | None:
        """The text of a file; None if there is none."""

    def remove(self, name: str) -> bool:
        """Remove a file; whether there was one."""

    def version(self) -> str | None:
        """The version that it has now; None for a place without versions."""


@dataclass(frozen=True)
class DagFile:
    """A file in a place."""

    place: Place
    name: str

    def __str__(self) -> str:
        return f"{self.place}/{self.name}"

    def read(self) -> str | None:
        """Its text; None if there is no such file."""
        return self.place.read(self.name)

    def put(self, text: str) -> str:
        """Put it in place at once; where it stands now."""
        return self.place.put(self.name, text)

    def remove(self) -> bool:
        """Remove it; whether it was there."""
        return self.place.remove(self.name)


def place_of(target: str) -> Place:
    """The place that a folder's path or an s3:// URL names."""
    if target.startswith("s3://"):
        return S3Place(target.rstrip("/"))
    return FolderPlace(Path(target).resolve())


@dataclass(frozen=True)
class FolderPlace:
    """A folder on a file system that Airflow's DAG processor sees."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

    def check(self) -> None:
        """The folder must be there and writable."""
        if not self.folder.is_dir():
            raise BridgeError(
                f"There is no folder {self.folder} for the DAG file. Make it, or give FILE (or "
                "METAFLOW_AIRFLOW_DAGS_FOLDER) a folder that Airflow reads."
            )
        try:
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise BridgeError(
                f"The DAGs folder {self.folder} cannot be written by this user "
                f"({error.strerror}). Choose another FILE, or ask whoever owns Airflow for access."
            ) from error

    def put(self, name: str, text: str) -> str:
        """Put a file in place at once: Airflow never parses half of one."""
        self.check()
        path = self.folder / name
        try:
            FolderObjects(self.folder).put(name, text.encode())
        except OSError as error:
            raise BridgeError(
                f"The DAG file {path} cannot be written: {error.strerror}. Choose another FILE, or "
                "ask whoever owns Airflow for access."
            ) from error
        return str(path)

    def read(self, name: str) -> str | None:
        """The text of a file; None if there is none."""
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> bool:
        """Remove a file; whether there was one."""
        path = self.folder / name
        there = path.exists()
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise BridgeError(
                f"The DAG file {path} cannot be removed: {error.strerror}. Ask whoever owns it."
            ) from error
        return there

    def version(self) -> None:
        """A plain folder has none."""


@dataclass(frozen=True)
class S3Place:
    """The bucket and prefix of an Airflow S3DagBundle; one PUT is atomic there."""

    url: str

    def __str__(self) -> str:
        return self.url

    @property
    def bucket(self) -> str:
        """Its bucket."""
        return s3.split(self.url)[0]

    @property
    def prefix(self) -> str:
        """Its prefix, without slashes at its ends."""
        return s3.split(self.url)[1]

    def check(self) -> None:
        """The bucket must be there for these credentials."""
        s3.check(self.url, BUNDLE)

    def put(self, name: str, text: str) -> str:
        """Put the object."""
        self.check()
        with s3.in_words(self.url, BUNDLE):
            s3.client().put_object(Bucket=self.bucket, Key=self._key(name), Body=text.encode())
        return f"{self.url}/{name}"

    def read(self, name: str) -> str | None:
        """The text of an object; None if there is none."""
        with s3.in_words(self.url, BUNDLE):
            client = s3.client()
            try:
                answer = client.get_object(Bucket=self.bucket, Key=self._key(name))
            except client.exceptions.NoSuchKey:
                return None
            return str(answer["Body"].read().decode())

    def remove(self, name: str) -> bool:
        """Remove the object; whether there was one."""
        key = self._key(name)
        with s3.in_words(self.url, BUNDLE):
            client = s3.client()
            found = client.list_objects_v2(Bucket=self.bucket, Prefix=key, MaxKeys=1)
            client.delete_object(Bucket=self.bucket, Key=key)
        return any(each["Key"] == key for each in found.get("Contents", ()))

    def version(self) -> None:
        """A plain prefix has none."""

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

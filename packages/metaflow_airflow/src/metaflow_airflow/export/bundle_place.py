"""A versioned DAG bundle as a place for DAG files: each export makes a version of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from metaflow_airflow.bundle.objects import FolderObjects, Objects, S3Objects
from metaflow_airflow.bundle.versions import Versions
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.export import s3_place as s3
from metaflow_airflow.export.places import BUNDLE, FolderPlace, Place, S3Place, place_of


@dataclass(frozen=True)
class BundlePlace:
    """A versioned bundle, or a folder in it.

    Args:
        root: where its bundle.json is. below: the folder, empty for the bundle itself.
    """

    root: Place
    below: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (str(self.root), self.below)))

    def is_there(self) -> bool:
        """Whether there is a versioned bundle in this place."""
        with self._in_words():
            return Versions(_objects(self.root)).is_there()

    def check(self) -> None:
        """The bundle must be there, and the folder that holds it writable."""
        self.root.check()
        with self._in_words():
            self._versions().newest()

    def put(self, name: str, text: str) -> str:
        """Make a version with the file the newest; where it stands now."""
        self.root.check()
        with self._in_words():
            self._versions().write({self._path(name): text.encode()})
        return f"{self}/{name}"

    def read(self, name: str) -> str | None:
        """The text of a file of the newest version; None if there is none."""
        with self._in_words():
            versions = self._versions()
            manifest = versions.manifest(versions.newest())
            path = self._path(name)
            if path not in manifest.files:
                return None
            return versions.content(manifest, path).decode()

    def remove(self, name: str) -> bool:
        """Make a version without the file the newest; whether there was one."""
        with self._in_words():
            versions = self._versions()
            there = self._path(name) in versions.manifest(versions.newest()).files
            if there:
                versions.write({self._path(name): None})
        return there

    def version(self) -> str | None:
        """The newest version."""
        with self._in_words():
            return self._versions().newest()

    def _versions(self) -> Versions:
        return Versions(_objects(self.root))

    def _path(self, name: str) -> str:
        return "/".join(filter(None, (self.below, name)))

    def _in_words(self) -> AbstractContextManager[None]:
        if isinstance(self.root, S3Place):
            return s3.in_words(str(self.root), BUNDLE)
        return _folder_in_words(self.root)


def find_place(target: str) -> Place:
    """The place that a folder's path or an s3:// URL names: versioned where a bundle.json says so.

    It may lie in a folder above.

    Raises:
        BridgeError: S3 cannot be asked.
    """
    place = place_of(target)
    for root, below in _upwards(place):
        bundle = BundlePlace(root, below)
        try:
            if bundle.is_there():
                return bundle
        except BridgeError:
            # What is above somebody's own place may be closed to them.
            if not below:
                raise
            break
    return place


def _upwards(place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(place, S3Place):
        path = PurePosixPath(place.prefix)
        for parent in (path, *path.parents) if place.prefix else (path,):
            url = f"s3://{place.bucket}/{'' if str(parent) == '.' else parent}"
            yield S3Place(url.rstrip("/")), _below(path, parent)
    elif isinstance(place, FolderPlace):
        for folder in (place.folder, *place.folder.parents):
            yield FolderPlace(folder), _below(place.folder, folder)


def _below(path: PurePath, parent: PurePath) -> str:
    found = path.relative_to(parent).as_posix()
    return "" if found == "." else found


def _objects(place: Place) -> Objects:
    if isinstance(place, S3Place):
        return S3Objects(s3.client(), place.bucket, place.prefix)
    return FolderObjects(Path(str(place)))


@contextmanager
def _folder_in_words(place: Place) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BridgeError(
            f"{BUNDLE} {place} cannot be used: {error}. Ask whoever owns Airflow for access."
        ) from error

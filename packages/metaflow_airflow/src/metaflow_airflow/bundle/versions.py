"""Reads and writes the versions of a bundle, whoever else does at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from metaflow_airflow.bundle.manifest import (
    EMPTY,
    FILES,
    POINTER,
    VERSIONS,
    BundleError,
    Manifest,
    digest,
    is_loose,
    pointed_to,
    pointer_to,
)
from metaflow_airflow.bundle.objects import Objects

_TRIES = 20
_HOW = (
    'Put the file {"format": 1} of that name there to make it a DAG bundle with versions, or '
    "correct the place."
)


@dataclass(frozen=True)
class Versions:
    """The versions of one bundle.

    The first one that is written takes over what lies there plainly, as in a DAGs folder.
    """

    objects: Objects

    def is_there(self) -> bool:
        """Whether there is a versioned bundle in this place."""
        return self.objects.read(POINTER) is not None

    def newest(self) -> str | None:
        """The newest version; None before the first one.

        Raises:
            BundleError: there is no bundle here.
        """
        return self._pointer()[1]

    def manifest(self, version: str | None) -> Manifest:
        """The files of a version; with None, of a bundle that has none yet.

        Raises:
            BundleError: there is no such version.
        """
        if version in (None, EMPTY.version):
            return EMPTY
        where = f"{self.objects}/{VERSIONS}{version}"
        text = self.objects.read(f"{VERSIONS}{version}")
        if text is None:
            raise BundleError(
                f"{where} is not there (any more): runs of that version cannot go on. Clear their "
                "tasks with the newest version."
            )
        return Manifest.from_json(text, where)

    def content(self, manifest: Manifest, name: str) -> bytes:
        """The content of a file of a version.

        Raises:
            BundleError: it is not there, or not what was written.
        """
        wanted = manifest.files[name]
        found = self.objects.read(f"{FILES}{wanted}")
        if found is None or digest(found) != wanted:
            what = "is not there" if found is None else "is not what was written"
            raise BundleError(
                f"{self.objects}/{FILES}{wanted}, which is {name}, {what}. Deploy it again."
            )
        return found

    def holder(self, name: str) -> str | None:
        """The object that holds a file of the newest version; None if there is no such file."""
        found = self.manifest(self.newest()).files.get(name)
        return f"{FILES}{found}" if found else None

    def write(self, changed: Mapping[str, bytes | None]) -> str:
        """Make a version with some files changed (None: removed) the newest; its name."""

        def edit(files: Mapping[str, str]) -> Mapping[str, str]:
            kept = {name: found for name, found in files.items() if name not in changed}
            return kept | {n: digest(c) for n, c in changed.items() if c is not None}

        return self._write({n: c for n, c in changed.items() if c is not None}, edit)

    def write_all(self, contents: Mapping[str, bytes]) -> str:
        """Make a version of exactly these files the newest; its name."""
        return self._write(contents, lambda files: Manifest.of(contents).files)

    def _write(
        self,
        contents: Mapping[str, bytes],
        edit: Callable[[Mapping[str, str]], Mapping[str, str]],
    ) -> str:
        """Files first, then their manifest, then the one object that names it."""
        for _ in range(_TRIES):
            pointer, version = self._pointer()
            loose = self._loose() if version is None else {}
            former = self.manifest(version) if version else Manifest.of(loose)
            manifest = Manifest(edit(former.files))
            if manifest.version == version:
                return version
            self._put_files({**loose, **contents}, manifest)
            self.objects.put(f"{VERSIONS}{manifest.version}", manifest.to_json())
            if self.objects.replace(POINTER, pointer_to(manifest.version), pointer):
                # A clean-up that had begun before may have taken one for unused.
                self._put_files({**loose, **contents}, manifest, missing_only=True)
                return manifest.version
        raise BundleError(
            f"{self.objects} was written by others at each of {_TRIES} tries. Try again."
        )

    def _put_files(
        self, contents: Mapping[str, bytes], manifest: Manifest, *, missing_only: bool = False
    ) -> None:
        for name, content in contents.items():
            key = f"{FILES}{manifest.files.get(name)}"
            if name in manifest.files and not (missing_only and self.objects.read(key)):
                self.objects.put(key, content)

    def _pointer(self) -> tuple[bytes, str | None]:
        where = f"{self.objects}/{POINTER}"
        text = self.objects.read(POINTER)
        if text is None:
            raise BundleError(f"There is no {where}. {_HOW}")
        return text, pointed_to(text, where)

    def _loose(self) -> Mapping[str, bytes]:
        """What lies there plainly."""
        names = [stored.name for stored in self.objects.all() if is_loose(stored.name)]
        return {n: c for n in names if (c := self.objects.read(n)) is not None}

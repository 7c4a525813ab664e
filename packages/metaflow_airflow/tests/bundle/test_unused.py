"""Versions that no run has are found, and what others share with them stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from metaflow_airflow.bundle.manifest import POINTER
from metaflow_airflow.bundle.objects import FolderObjects
from metaflow_airflow.bundle.unused import find_unused, remove
from metaflow_airflow.bundle.versions import Versions

LATER = 1e12


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    objects = FolderObjects(tmp_path)
    objects.put(POINTER, b'{"format": 1}')
    return Versions(objects)


def whole(versions: Versions, version: str) -> set[str]:
    manifest = versions.manifest(version)
    return {versions.content(manifest, name).decode() for name in manifest.files}


def test_unused_versions_go_with_the_files_that_only_they_have(versions: Versions) -> None:
    first = versions.write({"a.py": b"one", "b.py": b"same"})
    second = versions.write({"a.py": b"two"})
    newest = versions.write({"a.py": b"three"})

    unused = find_unused(versions, {first}, LATER)
    assert (unused.versions, len(unused.files), unused.kept) == ((second,), 1, 2)
    remove(versions, unused)

    assert whole(versions, first) == {"one", "same"}
    assert whole(versions, newest) == {"three", "same"}
    assert len([each for each in versions.objects.all() if each.name.startswith("files/")]) == 3
    assert find_unused(versions, {first}, LATER).versions == ()


def test_what_is_young_stays_as_somebody_may_be_writing_it(versions: Versions) -> None:
    versions.write({"a.py": b"one"})
    versions.write({"a.py": b"two"})
    versions.objects.put("files/half-way", b"")

    unused = find_unused(versions, set(), before=0)

    assert (unused.versions, unused.files, unused.kept) == ((), (), 2)

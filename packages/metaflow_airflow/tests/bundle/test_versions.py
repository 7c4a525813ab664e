"""Versions of a bundle in a folder and in a real S3: immutable; no writer loses another's."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from metaflow_airflow.bundle.manifest import POINTER, BundleError, Manifest
from metaflow_airflow.bundle.objects import FolderObjects, Objects, S3Objects
from metaflow_airflow.bundle.versions import Versions


@pytest.fixture(params=["folder", "s3"])
def objects(request, tmp_path: Path) -> Objects:
    """A bundle without versions yet."""
    if request.param == "folder":
        made: Objects = FolderObjects(tmp_path)
    else:
        server = request.getfixturevalue("s3_server")
        made = S3Objects(server.client, server.bucket, f"team/{secrets.token_hex(4)}")
    made.put(POINTER, b'{"format": 1}')
    return made


@pytest.fixture
def versions(objects: Objects) -> Versions:
    return Versions(objects)


def texts(versions: Versions, version: str | None = None) -> dict[str, str]:
    manifest = versions.manifest(version or versions.newest())
    return {name: versions.content(manifest, name).decode() for name in manifest.files}


def test_each_change_is_a_version_and_all_of_them_stay(versions: Versions) -> None:
    first = versions.write({"a.py": b"one", "team/b.py": b"same"})
    second = versions.write({"a.py": b"two"})
    third = versions.write({"a.py": None})

    assert versions.newest() == third
    assert texts(versions, first) == {"a.py": "one", "team/b.py": "same"}
    assert texts(versions, second) == {"a.py": "two", "team/b.py": "same"}
    assert texts(versions, third) == {"team/b.py": "same"}


def test_who_goes_back_to_former_files_goes_back_to_their_version(versions: Versions) -> None:
    first = versions.write({"a.py": b"one"})
    second = versions.write({"a.py": b"two"})

    assert versions.write({"a.py": b"one"}) == first != second


def test_exactly_these_files_are_a_version(versions: Versions) -> None:
    versions.write({"gone.py": b""})

    versions.write_all({"package/dag.py": b"dag", "package/module.py": b"module"})

    assert texts(versions) == {"package/dag.py": "dag", "package/module.py": "module"}


def test_the_first_version_takes_over_what_lay_there_plainly(versions: Versions) -> None:
    versions.objects.put("hand_written.py", b"dag")
    versions.objects.put("team/.stamp", b"not for Airflow")

    versions.write({"a.py": b"one"})

    assert texts(versions) == {"a.py": "one", "hand_written.py": "dag"}


def test_writers_at_once_lose_nothing_of_each_other(versions: Versions) -> None:
    names = [f"{number}.py" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: versions.write({name: name.encode()}), names))

    assert texts(versions) == {name: name for name in names}


def test_a_file_that_a_clean_up_takes_while_it_is_written_is_put_again(
    versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions.write({"a.py": b"one"})
    replace = type(versions.objects).replace

    def clean_before(self: Objects, name: str, content: bytes, former: bytes) -> bool:
        self.remove("files/" + Manifest.of({"b.py": b"two"}).files["b.py"])
        return replace(self, name, content, former)

    monkeypatch.setattr(type(versions.objects), "replace", clean_before)
    versions.write({"b.py": b"two"})

    assert texts(versions) == {"a.py": "one", "b.py": "two"}


def _no_pointer(objects: Objects) -> None:
    objects.remove(POINTER)


def _newer_format(objects: Objects) -> None:
    objects.put(POINTER, json.dumps({"format": 9}).encode())


def _no_json(objects: Objects) -> None:
    objects.put(POINTER, b"<html>")


def _no_version(objects: Objects) -> None:
    objects.remove(f"versions/{Versions(objects).newest()}")


def _damaged(objects: Objects) -> None:
    objects.put("files/" + Manifest.of({"a.py": b"one"}).files["a.py"], b"another")


def _outside(objects: Objects) -> None:
    objects.put(f"versions/{Versions(objects).newest()}", b'{"files": {"../../x": "0"}}')


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_no_pointer, r'There is no .*bundle\.json\. Put the file \{"format": 1\}'),
        (_newer_format, "has format 9, but this metaflow-airflow reads up to 1"),
        (_no_json, r"bundle\.json is no description of a DAG bundle"),
        (_no_version, "is not there .*: runs of that version cannot go on"),
        (_damaged, r"which is a\.py, is not what was written"),
        (_outside, r"names the file \.\./\.\./x, which is outside of its bundle"),
    ],
)
def test_what_is_wrong_with_a_bundle_is_said(
    versions: Versions, damage: Callable[[Objects], None], said: str
) -> None:
    versions.write({"a.py": b"one"})
    damage(versions.objects)

    with pytest.raises(BundleError, match=said):
        texts(versions)

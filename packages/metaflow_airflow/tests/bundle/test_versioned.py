"""The bundle as Airflow's servers and workers use it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.bundles import base
from metaflow_airflow.bundle.manifest import POINTER, BundleError
from metaflow_airflow.bundle.objects import FolderObjects
from metaflow_airflow.bundle.versioned import VersionedDagBundle
from metaflow_airflow.bundle.versions import Versions

Make = Callable[..., VersionedDagBundle]


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    objects = FolderObjects(tmp_path / "place")
    objects.put(POINTER, b'{"format": 1}')
    return Versions(objects)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes the bundle anew, as each process of Airflow does."""
    monkeypatch.setattr(base, "get_bundle_storage_root_path", lambda: tmp_path / "here")

    def made(version: str | None = None, **more: Any) -> VersionedDagBundle:
        return VersionedDagBundle(
            name="flows", version=version, url=str(tmp_path / "place"), **more
        )

    return made


def texts(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*.*")}


def current(bundle: VersionedDagBundle) -> str:
    return str(bundle.get_current_version().version)


def test_the_newest_version_is_followed_and_a_run_keeps_its_own(
    versions: Versions, make: Make
) -> None:
    first = versions.write({"a.py": b"one", "gone.py": b""})
    processor = make()
    processor.initialize()
    assert (current(processor), texts(processor.path)) == (first, {"a.py": "one", "gone.py": ""})

    second = versions.write({"a.py": b"two", "gone.py": None})
    processor.refresh()
    assert (current(processor), texts(processor.path)) == (second, {"a.py": "two"})

    for version, text in ((first, "one"), (second, "two")):
        worker = make(version)
        worker.initialize()
        assert texts(worker.path)["a.py"] == text
        assert current(worker) == version
    with pytest.raises(BundleError, match="is what it is"):
        worker.refresh()


def test_a_file_of_equal_size_within_the_same_second_is_seen(
    versions: Versions, make: Make
) -> None:
    processor = make()
    for text in ("one", "two", "six"):
        versions.write({"a.py": text.encode()})
        processor.initialize()
        assert texts(processor.path) == {"a.py": text}


def test_a_bundle_without_versions_is_empty(versions: Versions, make: Make) -> None:
    processor = make()
    processor.initialize()
    empty = current(processor)

    worker = make(empty)
    worker.initialize()
    assert (texts(processor.path), texts(worker.path)) == ({}, {})


def test_a_changed_file_is_read_once_more_and_so_is_what_may_import_it(
    versions: Versions, make: Make
) -> None:
    """Airflow reads a file again when its time is later than the end of its last reading."""
    exported = b"flow = MetaflowFlow.load(r''"
    versions.write({"module.py": b"1", "dag.py": b"import module", "flow.py": exported})
    processor = make()
    processor.initialize()
    processor.refresh()
    for path in processor.path.iterdir():
        os.utime(path, (1, 1))

    def read_again() -> set[str]:
        found = {path.name for path in processor.path.iterdir() if path.stat().st_mtime > 1}
        for path in processor.path.iterdir():
            os.utime(path, (1, 1))
        return found

    versions.write({"module.py": b"2"})
    processor.refresh()
    assert read_again() == {"module.py", "dag.py"}
    processor.refresh()
    assert read_again() == {"module.py", "dag.py"}  # the former reading may have ended after it
    processor.refresh()
    assert read_again() == set()


def test_workers_at_once_unpack_one_version_and_leave_nothing_beside_it(
    versions: Versions, make: Make
) -> None:
    version = versions.write({f"{n}.py": b"text" for n in range(50)})
    left = make(version).versions_dir / f".{version}-killed"
    left.mkdir(parents=True)

    def worker(_: int) -> int:
        bundle = make(version)
        bundle.initialize()
        return len(texts(bundle.path))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(worker, range(8))) == {50}
    assert [path.name for path in left.parent.iterdir()] == [version]


def test_a_worker_that_has_its_version_asks_nobody(
    versions: Versions, make: Make, tmp_path: Path
) -> None:
    version = versions.write({"a.py": b"one"})
    make(version).initialize()
    shutil.rmtree(tmp_path / "place")

    worker = make(version)
    worker.initialize()
    assert texts(worker.path) == {"a.py": "one"}


class _Away(FolderObjects):
    """A folder on a server that does not answer for a while."""

    answers = 0.0

    def read(self, name: str) -> bytes | None:
        if time.monotonic() < self.answers:
            raise OSError("Stale file handle")
        return super().read(name)


@pytest.mark.parametrize(("away", "wait"), [(0.5, 30.0), (60.0, 0.1)])
def test_a_worker_waits_for_a_storage_that_is_away(
    versions: Versions, make: Make, tmp_path: Path, away: float, wait: float
) -> None:
    version = versions.write({"a.py": b"one"})
    worker = make(version, wait=wait)
    worker._opened = Versions(_Away(tmp_path / "place"))
    _Away.answers = time.monotonic() + away

    if away < wait:
        worker.initialize()
        assert texts(worker.path) == {"a.py": "one"}
    else:
        with pytest.raises(BundleError, match=r"cannot be had from .*: Stale file handle"):
            worker.initialize()


def test_a_version_that_is_gone_is_said_at_once(versions: Versions, make: Make) -> None:
    with pytest.raises(BundleError, match="Clear their tasks with the newest version"):
        make("0123456789abcdef").initialize()


def test_in_s3_it_takes_the_connection(
    s3_server: Any, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from metaflow_airflow.bundle.objects import S3Objects

    place = S3Objects(s3_server.client, s3_server.bucket, "by-connection")
    place.put(POINTER, b'{"format": 1}')
    version = Versions(place).write({"a.py": b"one"})
    monkeypatch.setenv(
        "AIRFLOW_CONN_DAG_BUNDLES",
        f'{{"conn_type": "aws", "login": "{s3_server.access_key}", '
        f'"password": "{s3_server.secret_key}", '
        f'"extra": {{"endpoint_url": "{s3_server.url}", "region_name": "us-east-1"}}}}',
    )

    worker = VersionedDagBundle(
        name="s3",
        version=version,
        url=f"s3://{s3_server.bucket}/by-connection",
        aws_conn_id="dag_bundles",
    )
    worker.initialize()
    assert texts(worker.path) == {"a.py": "one"}

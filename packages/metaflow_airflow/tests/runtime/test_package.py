"""Code packages: from the datastore to the step's folder."""

from __future__ import annotations

import compileall
import dataclasses
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from metaflow_airflow.runtime.code import package
from metaflow_airflow.runtime.code.package import prepare_code
from metaflow_airflow.runtime.failures import LaunchError, UnavailableError
from metaflow_airflow.runtime.launch.host_folder import host_directory
from metaflow_airflow.wire.task import StepTask

from .test_task import TASK

Said = list[str]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own."""
    monkeypatch.setenv("METAFLOW_AIRFLOW_TMPDIR", str(tmp_path))
    return host_directory()


@pytest.fixture
def task(tmp_path: Path) -> StepTask:
    """A task whose code package is a file."""
    source = tmp_path / "source"
    (source / ".mf_code" / "metaflow").mkdir(parents=True)
    (source / ".mf_code" / "metaflow" / "__init__.py").write_text("")
    (source / ".mf_meta").mkdir()
    (source / ".mf_meta" / "INFO").write_text("{}")
    (source / "f.py").write_text("print('flow')")
    archive = tmp_path / "package.tgz"
    with tarfile.open(archive, "w:gz") as opened:
        opened.add(source, arcname=".")
    sha = hashlib.sha1(archive.read_bytes(), usedforsecurity=False).hexdigest()
    return dataclasses.replace(TASK, datastore="local", code_url=str(archive), code_sha=sha)


def _prepare(task: StepTask, host: Path, name: str = "work") -> tuple[Path, Said]:
    work = host / name
    work.mkdir()
    said: Said = []
    return prepare_code(task, host, work, said.append), said


def test_a_package_is_unpacked_once_and_shared(task: StepTask, host: Path) -> None:
    first, _ = _prepare(task, host, "one")
    Path(task.code_url).unlink()
    second, said = _prepare(task, host, "two")
    assert said == []
    for root in (first, second):
        assert sorted(each.name for each in root.iterdir()) == [".mf_code", ".mf_meta", "f.py"]
        assert (root / ".mf_code").is_symlink()
    (first / "f.py").write_text("changed by the step")
    (first / ".mf_meta" / "INFO").unlink()
    assert (second / "f.py").read_text() == "print('flow')"
    assert (second / ".mf_meta" / "INFO").exists()


def test_a_shared_copy_that_lost_a_file_is_made_anew(task: StepTask, host: Path) -> None:
    _prepare(task, host, "one")
    lost = host / "code" / task.code_sha / "files" / ".mf_code" / "metaflow" / "__init__.py"
    lost.unlink()
    root, _ = _prepare(task, host, "two")
    assert (root / ".mf_code" / "metaflow" / "__init__.py").exists()
    assert not list((host / "code").glob(".new-*"))


def test_old_packages_are_removed_unless_a_step_uses_them(task: StepTask, host: Path) -> None:
    _prepare(task, host, "one")
    used, unused = host / "code" / ("1" * 40), host / "code" / ("2" * 40)
    long_ago = time.time() - package.KEEP_SECONDS - 60
    for entry in (used, unused):
        entry.mkdir()
        os.utime(entry, (long_ago, long_ago))
    with (host / "code" / f"{used.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        again = dataclasses.replace(task, code_sha="")
        _prepare(again, host, "two")
    assert used.exists()
    assert not unused.exists()
    assert (host / "code" / task.code_sha).exists()


@pytest.fixture
def thing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed import package, which `packed` packs."""
    installed = tmp_path / "prefix" / "thing"
    (installed / "deep").mkdir(parents=True)
    (installed / "__init__.py").write_text("value = 1")
    (installed / "deep" / "other.py").write_text("value = 1")
    monkeypatch.setattr(sys, "prefix", str(installed.parent))
    monkeypatch.syspath_prepend(installed.parent)
    return installed


@pytest.fixture
def packed(task: StepTask, thing: Path) -> StepTask:
    """A task whose code package has it too, and another one of its own."""
    with tarfile.open(task.code_url, "w:gz") as opened:
        opened.add(thing, arcname=".mf_code/thing")
        opened.add(thing, arcname=".mf_code/only_here")
        opened.add(thing, arcname=".mf_code/no.module")
        opened.add(thing / "__init__.py", arcname="f.py")
    return dataclasses.replace(task, code_sha="")


def test_what_is_installed_just_so_is_linked(packed: StepTask, host: Path, thing: Path) -> None:
    compileall.compile_dir(thing, quiet=1)
    root, _ = _prepare(packed, host)
    code = root / ".mf_code"
    assert {each.name: each.is_symlink() for each in code.iterdir()} == {
        "thing": True,
        "only_here": False,
        "no.module": False,
    }
    program = f"import sys; sys.path.insert(0, {str(code)!r}); import thing.deep.other"
    done = subprocess.run(
        [sys.executable, "-B", "-v", "-c", program], capture_output=True, text=True, check=True
    )
    assert f"matches {code}/thing/deep/other.py" in done.stderr, "it was compiled again"
    assert (root / "f.py").read_text() == "value = 1"
    assert (code / "only_here" / "deep" / "other.py").exists()


def test_what_was_linked_and_changed_since_is_unpacked(
    packed: StepTask, host: Path, thing: Path
) -> None:
    first, _ = _prepare(packed, host, "one")
    (thing / "deep" / "other.py").write_text("value = 2")
    second, _ = _prepare(packed, host, "two")
    for root in (first, second):
        module = root / ".mf_code" / "thing" / "deep" / "other.py"
        assert module.read_text() == "value = 1"
    assert (thing / "deep" / "other.py").read_text() == "value = 2"


def test_many_files_are_neither_copied_nor_written(
    task: StepTask, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "LINKED_FROM", 0)
    first, _ = _prepare(task, host, "first")
    again, said = _prepare(task, host, "again")
    one, other = first / "f.py", again / "f.py"
    assert one.stat().st_ino == other.stat().st_ino
    assert one.stat().st_mode & 0o222 == 0
    assert said == []
    other.unlink()
    other.write_text("another")
    assert one.read_text() == "print('flow')"


def test_a_shared_file_that_was_written_is_unpacked_again(task: StepTask, host: Path) -> None:
    first, _ = _prepare(task, host, "first")
    shared = (first / ".mf_code").resolve() / "metaflow" / "__init__.py"
    shared.write_text("changed")
    again, _ = _prepare(task, host, "again")
    assert (again / ".mf_code" / "metaflow" / "__init__.py").read_text() == ""


@pytest.mark.parametrize("difference", ["changed", "missing", "more", "editable", "namespace"])
def test_what_is_installed_otherwise_is_unpacked(
    packed: StepTask, host: Path, thing: Path, monkeypatch: pytest.MonkeyPatch, difference: str
) -> None:
    match difference:
        case "changed":
            (thing / "deep" / "other.py").write_text("value = 2")
        case "missing":
            (thing / "deep" / "other.py").unlink()
        case "more":
            (thing / "deep" / "more.py").touch()
        case "editable":
            monkeypatch.setattr(sys, "prefix", "/elsewhere")
        case "namespace":
            (thing / "__init__.py").unlink()
    root, _ = _prepare(packed, host)
    unpacked = root / ".mf_code" / "thing"
    assert not unpacked.is_symlink()
    assert (unpacked / "deep" / "other.py").read_text() == "value = 1"


def test_a_package_that_is_not_the_deployed_one(task: StepTask, host: Path) -> None:
    with Path(task.code_url).open("ab") as file:
        file.write(b"more")
    with pytest.raises(
        LaunchError, match=r"has the hash [0-9a-f]{40}, not .*Deploy the flow again"
    ):
        _prepare(task, host)
    assert not list((host / "code").glob("*/files"))


def test_a_package_that_is_no_archive(task: StepTask, host: Path) -> None:
    Path(task.code_url).write_text("nothing")
    with pytest.raises(LaunchError, match=r"cannot be unpacked into .*not a gzip file"):
        _prepare(dataclasses.replace(task, code_sha=""), host)
    metadata = json.dumps({"archive_format": "zip"})
    with pytest.raises(LaunchError, match="packed as 'zip'"):
        _prepare(dataclasses.replace(task, code_sha="", code_metadata=metadata), host, "two")


def test_a_datastore_that_does_not_answer_is_asked_again(
    task: StepTask, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def unreachable(*_: object) -> None:
        tries.append(1)
        raise UnavailableError("S3 at http://nowhere cannot be reached.")

    monkeypatch.setattr(package, "delays", lambda _: (0, 0))
    monkeypatch.setattr(package, "download", unreachable)
    work = host / "work"
    work.mkdir()
    said: Said = []
    with pytest.raises(UnavailableError):
        prepare_code(task, host, work, said.append)
    assert len(tries) == 3
    assert said == ["S3 at http://nowhere cannot be reached. Trying again in 0 s."] * 2

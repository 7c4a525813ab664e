"""A folder becomes a version by one command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from metaflow_airflow.bundle.__main__ import main
from metaflow_airflow.bundle.objects import FolderObjects, S3Objects
from metaflow_airflow.bundle.versions import Versions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("dag.py", "package/module.py", "package/__pycache__/module.pyc", ".airflowignore"):
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "folder"


def names(versions: Versions) -> set[str]:
    return set(versions.manifest(versions.newest()).files)


def test_a_folder_becomes_a_version(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    versions = Versions(FolderObjects(place))

    assert "There is no" in str(main([str(folder), str(place)]))
    assert main([str(folder), str(place), "--new"]) is None
    assert f"has version {versions.newest()}" in capsys.readouterr().out
    assert names(versions) == {"dag.py", "package/module.py", ".airflowignore"}

    (folder / "dag.py").unlink()
    assert main([str(folder), str(place), "--new"]) is None
    assert names(versions) == {"package/module.py", ".airflowignore"}
    assert "There is no folder" in str(main([str(tmp_path / "none"), str(place)]))


def test_a_place_in_s3_takes_what_boto3_finds(
    folder: Path, s3_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)

    assert main([str(folder), f"s3://{s3_server.bucket}/put/", "--new"]) is None
    assert "dag.py" in names(Versions(S3Objects(s3_server.client, s3_server.bucket, "put")))

    assert "cannot be written" in str(main([str(folder), "s3://no-such-bucket/put", "--new"]))

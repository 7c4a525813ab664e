"""Two teams release their parts from one repository: real git, real builds, in a clone."""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from metaflow_airflow.bundle.objects import S3Objects
from metaflow_airflow.bundle.versions import Versions
from s3_server import S3Server
from workspace_clone import ROOT, UV, Clone

pytestmark = [
    pytest.mark.skipif(UV is None, reason="uv is neither in $UV nor on PATH"),
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no clone: there is no git"),
]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("story") / "clone")


def metadata_version(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as opened:
        name = next(each for each in opened.namelist() if each.endswith(".dist-info/METADATA"))
        lines = opened.read(name).decode().splitlines()
    return next(line for line in lines if line.startswith("Version:")).split()[1]


def test_two_teams_release_independently(clone: Clone) -> None:
    clone.change("data_engineering", "Added", "Publish a quarantine")
    clone.change("ml_flows", "Added", "Promote models")

    dry = clone.release("make", "data-engineering", "--no-tests")
    assert "-> 0.1.0" in dry
    assert "Nothing was changed" in dry
    assert not clone.run("git", "tag", "--list", "data-engineering-v*")

    made = clone.make("data-engineering", "first")

    (wheel,) = made.glob("*.whl")
    (sdist,) = made.glob("*.tar.gz")
    assert metadata_version(wheel) == "0.1.0"
    with tarfile.open(sdist) as opened:
        assert "data_engineering-0.1.0/PKG-INFO" in opened.getnames()
    (sbom,) = made.glob("*.cdx.json")
    names = {component["name"] for component in json.loads(sbom.read_text())["components"]}
    assert {"polars", "apache-airflow"} <= names
    assert "metaflow" not in names
    log = (clone.folder / "packages/data_engineering/CHANGELOG.md").read_text()
    assert "## [0.1.0] - 20" in log
    said = clone.run("git", "tag", "--list", "--format=%(contents)", "data-engineering-v0.1.0")
    assert "Publish a quarantine" in said

    # The other team's part has not moved; its own release is its own.
    assert "first) -> 0.1.0" in clone.release("make", "ml-flows", "--no-tests")
    clone.change("ml_flows", "Added", "Promote models by tags")
    assert metadata_version(next(clone.make("ml-flows", "ml").glob("*.whl"))) == "0.1.0"
    clone.change("data_engineering", "Fixed", "Count refunds once")
    assert metadata_version(next(clone.make("data-engineering", "second").glob("*.whl"))) == "0.1.1"
    assert "ml-flows-v0.1.1" not in clone.run("git", "tag")
    assert "nothing below [Unreleased]" in clone.release(
        "make", "ml-flows", "--no-tests", fails=True
    )


def test_between_two_tags_a_wheel_says_how_far_it_is(clone: Clone) -> None:
    clone.run("git", "tag", "--annotate", "--message", "x", "pod-image-v3.0.0")
    clone.run("git", "commit", "--quiet", "--allow-empty", "--message", "Later")
    out = clone.folder.parent / "between"

    clone.run(str(UV), "build", "--quiet", "--wheel", "--package=pod-image", f"--out-dir={out}")

    sha = clone.run("git", "rev-parse", "--short=7", "HEAD").strip()
    assert metadata_version(next(out.glob("*.whl"))).startswith(f"3.0.0.post1.dev1+g{sha}")


def test_the_data_team_goes_back_in_its_bundle(
    clone: Clone, s3_server: S3Server, tmp_path: Path
) -> None:
    bucket, package = s3_server.bucket, "packages/data_engineering/src/data_engineering"
    versions = Versions(S3Objects(s3_server.client, bucket, tmp_path.name))
    s3_server.client.put_object(
        Bucket=bucket, Key=f"{tmp_path.name}/bundle.json", Body=b'{"format": 1}'
    )
    publish = [sys.executable, "-m", "pipeline.targets.bundle", package,
               f"s3://{bucket}/{tmp_path.name}"]  # fmt: skip

    def runs() -> tuple[str, str]:
        """What Airflow would run now: what it says of itself, and its newest line."""
        newest = versions.manifest(versions.newest())
        said, code = (
            versions.content(newest, f"data_engineering/{name}").decode().strip()
            for name in ("released.txt", "__init__.py")
        )
        return said, code.splitlines()[-1]

    for number in (7, 8):
        clone.change("data_engineering", "Added", f"Number {number}")
        clone.run("git", "tag", f"data-engineering-v{number}.0.0")
    clone.run(*publish, env=s3_server.environment)
    assert runs() == ("data-engineering-8.0.0", "# Number 8")

    clone.release("at", "data-engineering-v7.0.0", *publish, env=s3_server.environment)
    assert runs() == ("data-engineering-7.0.0", "# Number 7")

    clone.run(*publish, env=s3_server.environment)
    assert runs() == ("data-engineering-8.0.0", "# Number 8")


@pytest.mark.parametrize("package", ["data-engineering", "ml-flows"])
def test_without_tags_or_without_git_a_version_says_so(tmp_path: Path, package: str) -> None:
    shallow = Clone(tmp_path / "shallow", "--depth=1", "--no-tags")
    out = tmp_path / "out"
    shallow.run(str(UV), "build", "--quiet", "--wheel", f"--package={package}", f"--out-dir={out}")
    assert metadata_version(next(out.glob("*.whl"))).startswith("0.0.0.post1.dev")

    shutil.rmtree(shallow.folder / ".git")
    bare = tmp_path / "bare"
    shallow.run(str(UV), "build", "--quiet", "--wheel", f"--package={package}", f"--out-dir={bare}")
    assert metadata_version(next(bare.glob("*.whl"))) == "0.0.0"


def test_a_release_that_fails_leaves_nothing(clone: Clone) -> None:
    clone.change("data_engineering", "Fixed", "Name the file")
    stray = clone.folder / "packages/data_engineering/stray.py"
    stray.write_text("")

    refused = clone.release("make", "data-engineering", "--yes", "--no-tests", fails=True)
    assert "not committed: packages/data_engineering/stray.py" in refused
    log = clone.folder / "packages/data_engineering/CHANGELOG.md"
    written = log.read_text()
    log.write_text(written + "- not committed yet\n")
    clone.release("make", "data-engineering", "--yes", "--no-tests", fails=True)
    assert log.read_text().endswith("- not committed yet\n")

    log.write_text(written)
    stray.unlink()
    head = clone.run("git", "rev-parse", "HEAD")
    tags = clone.run("git", "tag")
    project = clone.folder / "packages/data_engineering/pyproject.toml"
    project.write_text(project.read_text().replace("hatchling.build", "hatchling.no_such"))
    clone.run("git", "commit", "--quiet", "--all", "--message", "Break the build")
    head = clone.run("git", "rev-parse", "HEAD")

    failed = clone.release("make", "data-engineering", "--yes", "--no-tests", fails=True)

    assert "uv build" in failed
    assert clone.run("git", "rev-parse", "HEAD") == head
    assert clone.run("git", "tag") == tags
    assert not clone.run("git", "status", "--porcelain")
    clone.run("git", "revert", "--no-edit", "HEAD")


def test_an_earlier_release_runs_beside_the_newer_tree(clone: Clone) -> None:
    said = clone.release(
        "at", "data-engineering-v0.1.0", "git", "describe", "--tags", "--match=data-*"
    )
    assert said.strip() == "data-engineering-v0.1.0"
    assert clone.run("git", "worktree", "list").count("\n") == 1
    unknown = clone.release("at", "ml-flows-v7.0.0", "true", fails=True)
    assert "there is no release ml-flows-v7.0.0" in unknown

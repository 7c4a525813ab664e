"""Docker Compose itself reads the files, in all ways in which they are put together."""

import json
from pathlib import Path

import pytest

from .engine import ALL_STANDINS, STANDINS, docker, has_docker

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(not has_docker(), reason="no Docker engine answers"),
]


@pytest.mark.parametrize("profile", ["", "k3s", "cluster"])
@pytest.mark.parametrize("files", ["compose.yaml", STANDINS, ALL_STANDINS])
def test_the_files_are_valid(
    settings: Path, monkeypatch: pytest.MonkeyPatch, profile: str, files: str
) -> None:
    monkeypatch.setenv("COMPOSE_PROFILES", profile)
    monkeypatch.setenv("COMPOSE_FILE", files)

    model = json.loads(docker("compose", "config", "--format", "json"))

    assert ("k3s" in model["services"], "cluster-init" in model["services"]) == (
        profile == "k3s", profile != "",
    )  # fmt: skip
    assert [n for n, each in model["services"].items() if "max-size" not in str(each)] == []
    assert {"postgres", "minio", "metadata", "api-server"} <= set(model["services"])
    assert ("metaflow-ui" in model["services"]) == (files != ALL_STANDINS)

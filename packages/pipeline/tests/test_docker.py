"""The command docker, as the pipeline calls it."""

from pathlib import Path

import pytest
from embedded.errors import StackError
from pipeline.targets.docker import docker


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker of ours, before the one that may be there."""
    file = tmp_path / "docker"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    file.touch(mode=0o700)
    return file


def test_an_engine_that_never_answers_is_given_up(command: Path, tmp_path: Path) -> None:
    command.write_text("#!/bin/sh\nexec sleep 60\n")

    with pytest.raises(StackError, match=r"`docker ps` was not done within 0 s \(DOCKER_SECONDS"):
        docker(("ps",), tmp_path, seconds=0.2)


def test_what_it_said_last_is_in_the_error(command: Path, tmp_path: Path) -> None:
    command.write_text("#!/bin/sh\necho no room left >&2\nexit 1\n")

    with pytest.raises(StackError, match=r"`docker ps` failed:\nno room left"):
        docker(("ps",), tmp_path)

"""services/watchdog.sh starts a container anew that hangs, and none that waits for another one."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest
from waiting import until

from .engine import ROOT, docker, has_docker, has_image

IMAGE = "python:3.11-slim-bookworm"

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(not has_docker(), reason="no Docker engine answers"),
]


@pytest.fixture
def hanging() -> Iterator[Callable[[int], str]]:
    """Starts a container whose check is healthy once and ends with a code from then on."""
    if not has_image(IMAGE):
        pytest.skip(f"{IMAGE} is not here")
    script = f"{ROOT}/services/watchdog.sh:/watchdog.sh:ro"
    names = []

    def start(code: int) -> str:
        name = f"watchdog-{secrets.token_hex(4)}"
        names.append(name)
        check = f"sh /watchdog.sh sh -c 'test -e /tmp/well || exit {code}'"
        docker(
            "run", "--detach", "--init", "--name", name, "--restart", "unless-stopped",
            "--user", "999:999", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true",
            "--env", "WATCHDOG_SECONDS=2", "--volume", script,
            "--health-cmd", check, "--health-interval", "1s", "--health-timeout", "10s",
            "--health-retries", "2", IMAGE, "sh", "-c", "touch /tmp/well; exec sleep 600",
        )  # fmt: skip
        until(lambda: state(name, ".State.Health.Status") == "healthy", "a healthy container")
        docker("exec", name, "rm", "/tmp/well")
        return name

    yield start
    for name in names:
        docker("rm", "--force", name)


def state(name: str, field: str) -> str:
    return docker("inspect", "--format", f"{{{{{field}}}}}", name).strip()


def test_a_container_that_hangs_is_started_anew(hanging: Callable[[int], str]) -> None:
    name = hanging(1)

    until(lambda: state(name, ".RestartCount") == "1", "the container's second start", within=60)
    until(lambda: state(name, ".State.Health.Status") == "healthy", "a healthy container")
    assert "watchdog: unhealthy for" in docker("logs", name)


def test_a_container_that_waits_for_another_one_is_left_alone(
    hanging: Callable[[int], str],
) -> None:
    name = hanging(3)

    checks = "len .State.Health.Log"
    until(lambda: state(name, ".State.Health.Status") == "unhealthy", "an unhealthy container")
    # Docker keeps five checks' results: when all of them failed, a watchdog would have bitten.
    until(lambda: int(state(name, checks)) >= 5 and well(name) == 0, "five checks that failed")
    assert state(name, ".RestartCount") == "0"


def well(name: str) -> int:
    codes = docker(
        "inspect", "--format", "{{range .State.Health.Log}}{{.ExitCode}} {{end}}", name
    ).split()
    return codes.count("0")

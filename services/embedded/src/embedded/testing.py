"""A pytest plugin: one running stack for a whole test session.

Tests that use the `stack` fixture carry the marker `stack`. The stack is brought up by the first of
them, in a directory of its own, and leaves no process behind.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from embedded.stack import Stack

_RUNNING = pytest.StashKey[Stack]()


def pytest_configure() -> None:
    """Take SIGTERM (of `timeout`, of CI) as Ctrl-C: killed without it, pytest leaves the stack."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack that is up; taken down at the session's end, or by take_down."""
    running = request.config.stash[_RUNNING] = Stack(tmp_path_factory.mktemp("stack") / "state")
    running.up()
    try:
        yield running
    finally:
        take_down(request.config)


def take_down(config: pytest.Config) -> None:
    """Take the session's stack down, if there is one: no test that needs it may follow."""
    if running := config.stash.get(_RUNNING, None):
        running.down()
        del config.stash[_RUNNING]


def run_flow(stack: Stack, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a flow's command line against the stack with this session's Python."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=stack.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0 or not check, f"{arguments} failed:\n{done.stdout}\n{done.stderr}"  # noqa: S101
    return done

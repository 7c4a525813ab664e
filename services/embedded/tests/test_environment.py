"""The environment that the stack builds from the caller's."""

from pathlib import Path

import pytest
from embedded.environment import STEP_UMASK, base_environment
from embedded.state import State


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.at(tmp_path)


def test_uv_is_in_the_path_of_workers_and_commands(state: State) -> None:
    """Steps with --environment=uv call it; the checkout's own is in nobody's PATH."""
    inherited = {"PATH": "/usr/bin", "UV": "/checkout/.uv/bin/uv"}

    assert base_environment(state, inherited)["PATH"] == "/usr/bin:/checkout/.uv/bin"
    assert base_environment(state, {"PATH": "/usr/bin", "UV": ""})["PATH"] == "/usr/bin"


def test_a_home_that_cannot_be_written_to_is_the_state_directory(state: State) -> None:
    assert base_environment(state, {"HOME": "/nonexistent"})["HOME"] == str(state.root)
    mine = str(state.root.parent)
    assert base_environment(state, {"HOME": mine})["HOME"] == mine


def test_the_umask_of_steps_is_passed_on(state: State) -> None:
    assert base_environment(state, {"METAFLOW_AIRFLOW_UMASK": "022"})[STEP_UMASK] == "022"
    assert STEP_UMASK not in base_environment(state, {})

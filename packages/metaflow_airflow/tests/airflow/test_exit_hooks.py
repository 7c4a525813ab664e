"""@exit_hook: called once when a run has ended, however it did; the run's outcome stays its own."""

import time

import pytest

from .conftest import FLOWS

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def hooked(bridge):
    bridge.export(FLOWS / "hooked.py")

    def start(folder, way):
        return bridge.start("Hooked", {"folder": str(folder), "way": way})

    return start


def test_a_run_that_succeeds_stays_so_though_a_hook_fails(bridge, hooked, tmp_path):
    run_id = hooked(tmp_path, "work")

    name = bridge.wait("Hooked", run_id, expect="success")

    assert (tmp_path / "success").read_text() == f"{name} True"
    assert not (tmp_path / "error").exists()
    states = bridge.states("Hooked", run_id)
    assert (states["exit.hooks"], states["exit.outcome"]) == ("failed", "success")


def test_a_run_that_fails_calls_the_error_hooks_once_all_steps_have_ended(bridge, hooked, tmp_path):
    run_id = hooked(tmp_path, "fail")

    name = bridge.wait("Hooked", run_id, expect="failed")

    assert (tmp_path / "error").read_text() == f"{name} False\n"
    assert (tmp_path / "worked").stat().st_mtime < (tmp_path / "error").stat().st_mtime
    assert bridge.states("Hooked", run_id)["exit.hooks"] == "success"


def test_a_run_that_somebody_ends_calls_them_and_has_failed(bridge, hooked, tmp_path):
    run_id = hooked(tmp_path, "wait")
    deadline = time.monotonic() + 120
    while not (tmp_path / "waiting").exists():
        assert time.monotonic() < deadline, bridge.states("Hooked", run_id)
        time.sleep(0.2)

    bridge.client.set_run_state("Hooked", run_id, "failed")

    name = bridge.wait("Hooked", run_id, expect="failed")
    assert (tmp_path / "error").read_text() == f"{name} False\n"

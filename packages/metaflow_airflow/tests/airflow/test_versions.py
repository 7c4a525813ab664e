"""A run goes on as it began, whatever is exported, renamed, deleted or taken back meanwhile."""

import json
import os
import subprocess
import sys
import time

import pytest

from .conftest import FLOWS

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

DAG = "Kept"
_FIRST = {"start", "fan", "work", "join", "end"}
_SECOND = {"start", "other", "end"}


def clear(bridge, run_id, *, newest):
    body = {
        "dry_run": False,
        "dag_run_id": run_id,
        "only_failed": False,
        "reset_dag_runs": True,
        "run_on_latest_version": newest,
    }
    bridge.client._json("POST", f"dags/{DAG}/clearTaskInstances", json=body)


@pytest.fixture
def export(bridge, tmp_path):
    """Exports one of the two forms of the flow."""
    file = tmp_path / "kept.py"

    def exported(form):
        file.write_text((FLOWS / f"kept_{form}.py").read_text())
        bridge.export(file)
        return file

    return exported


def waiting(bridge, folder):
    """A run that waits in its first step."""
    folder.mkdir()
    run_id = bridge.start(DAG, {"folder": str(folder)})
    deadline = time.monotonic() + 120
    while not (folder / "waiting").exists():
        assert time.monotonic() < deadline, bridge.states(DAG, run_id)
        time.sleep(0.2)
    return run_id


def said(bridge, run_id):
    """What each step of a run said that ended well."""
    found = bridge.artifacts(f"{DAG}/{bridge.wait(DAG, run_id)}")
    return {step: artifacts["said"] for step, artifacts in found.items()}


def versions(bridge, flow):
    output = bridge.flow(flow, "--quiet", "airflow", "list-runs", "--json")
    return {run["dag_run_id"]: run["version"] for run in json.loads(output[output.index("[") :])}


def clean_up(stack, bridge):
    """Make a version that no run has, and let `stack clean` remove it; the versions left.

    Other tests' flows are in the same bundle, and have versions without runs too.
    """
    folder = stack.dags_folder / "versions"
    never = bridge.versions.write({"never_run.py": b"1"})
    bridge.versions.write({"never_run.py": None})
    for path in stack.dags_folder.rglob("*/*"):
        os.utime(path, (1, 1))
    there = set(folder.iterdir())
    for more in (["--dry-run"], []):
        assert set(folder.iterdir()) == there
        command = [sys.executable, "-m", "pipeline", "clean", "--state", str(stack.state.root)]
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert " versions without runs and " in done.stdout
    left = {path.name for path in folder.iterdir()}
    assert never not in left
    return left


def test_a_run_ends_with_the_steps_code_and_settings_that_it_began_with(
    bridge, stack, export, tmp_path
):
    export("first")
    old = waiting(bridge, tmp_path / "old")
    flow = export("second")
    new = waiting(bridge, tmp_path / "new")

    refusal = bridge.flow(flow, "airflow", "delete", check=False)
    assert "a run whose DAG is deleted never ends" in refusal
    (tmp_path / "old" / "go").touch()
    assert set(said(bridge, old).values()) == {"'first'"}
    assert set(bridge.states(DAG, old)) == {"start", "fan", "work[0]", "work[1]", "join", "end"}

    export("first")  # a rollback
    (tmp_path / "new" / "go").touch()
    assert said(bridge, new) == dict.fromkeys(("start", "other", "end"), "'second'")
    assert set(bridge.states(DAG, new)) == _SECOND

    export("second")
    found = versions(bridge, flow)
    assert None not in found.values()
    assert found[old] != found[new]

    assert clean_up(stack, bridge) >= set(found.values()), "a version that a run has is kept"
    clear(bridge, old, newest=False)
    bridge.wait(DAG, old)
    assert {task.partition("[")[0] for task in bridge.states(DAG, old)} == _FIRST
    assert versions(bridge, flow)[old] == found[old]

    clear(bridge, old, newest=True)
    bridge.wait(DAG, old)
    states = bridge.states(DAG, old)
    assert {task for task, state in states.items() if state == "success"} >= _SECOND
    assert versions(bridge, flow)[old] == bridge.versions.newest()

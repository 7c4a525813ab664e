"""Resuming a run of Airflow's: on Airflow, and with Metaflow's own `resume`."""

import json

import pytest

from .conftest import FLOWS

pytestmark = pytest.mark.stack

FLOW = FLOWS / "resumed.py"

_RESUME = """
import json, sys
from metaflow import DeployedFlow
deployed = DeployedFlow.from_airflow("Resumed")
run = deployed.resume(origin_run_id=sys.argv[1], step_to_rerun="collect")
print("ANSWER" + json.dumps(run.pathspec.split("/")[1]))
"""
_ORIGIN = """
import json, sys
from metaflow import Run, namespace
namespace(None)
print("ANSWER" + json.dumps(Run(sys.argv[1]).origin_pathspec))
"""


@pytest.fixture(scope="module")
def failed(bridge, tmp_path_factory):
    """A run whose item 1, 0 has failed: Metaflow's run id, and the file that broke it."""
    broken = tmp_path_factory.mktemp("resume") / "broken"
    broken.touch()
    bridge.export(FLOW)
    run_id = bridge.run("Resumed", {"broken": str(broken), "scale": 7}, expect="failed")
    return run_id, broken


def by(artifacts):
    """The tasks' runs: step and item -> run id."""
    return {task: values["by"].strip("'") for task, values in artifacts.items()}


def wait(bridge, run_id):
    """Wait for a run that the command line started."""
    runs = json.loads(bridge.flow(FLOW, "airflow", "list-runs", "--json").splitlines()[0])
    dag_run = next(run["dag_run_id"] for run in runs if run["run_id"] == run_id)
    bridge.wait("Resumed", dag_run)
    return bridge.artifacts(f"Resumed/{run_id}")


@pytest.mark.every_airflow("resume")
def test_what_had_finished_is_copied_and_the_rest_runs(bridge, failed, tmp_path):
    origin, _ = failed
    first = bridge.artifacts(f"Resumed/{origin}")
    finished = {task for task, values in first.items() if "value" in values or "work" not in task}

    bridge.flow(FLOW, "airflow", "resume", "--set", "strict=false", f"--run-id-file={tmp_path}/id")
    resumed = (tmp_path / "id").read_text()
    second = wait(bridge, resumed)

    assert {task for task, run in by(second).items() if run == origin} == finished
    assert second["end"]["values"] == "[[0, 1], [7]]"
    # What is copied has the changed parameter too, so that no two tasks disagree.
    assert {values["strict"] for values in second.values()} == {"False"}
    assert second["end"]["by_strict"] == "False"
    assert json.loads(bridge.python(_ORIGIN, f"Resumed/{resumed}")) == f"Resumed/{origin}"

    # And that run resumed in turn, from Python: one step runs again, and what follows it.
    third = wait(bridge, again := json.loads(bridge.python(_RESUME, resumed)))

    assert {task for task, run in by(third).items() if run == again} == {
        "collect",
        "decide",
        "more",
        "end",
    }
    assert third["end"]["values"] == "[[0, 1], [7]]"
    assert {values["scale"] for values in third.values()} == {"7"}


def test_metaflows_own_resume_takes_over_from_airflow(bridge, failed, tmp_path):
    origin, broken = failed
    broken.unlink()

    bridge.flow(FLOW, "resume", f"--origin-run-id={origin}", f"--run-id-file={tmp_path}/id")

    artifacts = bridge.artifacts(f"Resumed/{(tmp_path / 'id').read_text()}")
    assert artifacts["end"]["values"] == "[[0, 1], [7]]"
    assert by(artifacts)["start"] == origin
    assert by(artifacts)["end"] != origin


def test_what_cannot_be_resumed_is_refused(bridge, failed):
    def refused(*arguments):
        return bridge.flow(FLOW, "airflow", "resume", *arguments, check=False)

    assert "has no step 'nowhere' to rerun. Its steps: start, outer" in refused("nowhere")
    assert "has no run airflow-0 of Resumed" in refused("--origin-run-id=airflow-0")
    assert "deployed without a parameter speed (it has: broken, scale, strict)" in refused(
        "--set", "speed=1"
    )
    assert "Parameter scale: 'seven' is of the wrong type; integer was deployed" in refused(
        "--set", "scale=seven"
    )

"""Metaflow's Deployer against a real Airflow, from create to delete."""

import json
import re
import shutil
from pathlib import Path

import psutil
import pytest

from .conftest import FLOWS

pytestmark = pytest.mark.stack

# Run in a Python of its own: Metaflow reads its settings once, at import.
_PROGRAM = """
import json, sys, tempfile, time
from pathlib import Path
from metaflow import DeployedFlow, Deployer, namespace

namespace(None)
path, gate = Path(sys.argv[1]), Path(sys.argv[2])
seen = {}


def until(condition, what):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


deployed = Deployer(str(path), pylint=False).airflow(name="gated.flow-1").create(tags=["nightly"])
seen["name"], seen["token"] = deployed.name, deployed.production_token

seen["suspended"] = deployed.suspend()
run = deployed.trigger(gate=str(gate), n=4)
seen["at once"] = (run.pathspec, run.run is None, run.status)
seen["unsuspended"] = deployed.unsuspend()
until(lambda: run.run is not None, "the start step never registered")
seen["started"] = (run.status, run.is_running, run.run.finished)
gate.touch()
run.wait_for_completion(check_interval=1, timeout=120)
seen["done"] = (run.status, run.is_running, run.run.successful, run.run.data.doubled)
seen["tags"] = sorted(run.run.tags)

path.unlink()
tempfile.tempdir = sys.argv[3]
found = DeployedFlow.from_deployment("gated.flow-1", impl="airflow")
seen["file"] = found.deployer.flow_file
gate.unlink()
second = found.trigger(gate=str(gate))
until(lambda: second.run is not None, "the second run never registered")
seen["terminated"] = second.terminate()
second.wait_for_completion(check_interval=1, timeout=120)
seen["ended"] = (second.status, second.run.successful)

again = type(found).get_triggered_run("gated.flow-1", run.pathspec.split("/")[1])
seen["again"] = (again.pathspec == run.pathspec, again.status)


def listed(**options):
    return [each.name for each in DeployedFlow.list_deployed_flows(impl="airflow", **options)]


seen["listed"] = ("gated.flow-1" in listed(), listed(flow_name="Gated"), listed(flow_name="Other"))
seen["deleted"] = found.delete()
seen["left"] = listed(flow_name="Gated")
try:
    DeployedFlow.from_deployment("gated.flow-1", impl="airflow")
except Exception as error:
    seen["gone"] = str(error)
print("ANSWER" + json.dumps(seen))
"""


@pytest.fixture(scope="module")
def seen(bridge, tmp_path_factory):
    """What the program saw."""
    folder = tmp_path_factory.mktemp("deployer")
    path = shutil.copy(FLOWS / "gated.py", folder)
    (shared := folder / "shared").mkdir()
    # What somebody else left in the temporary folder, with the name of a module that is imported.
    (shared / "six.py").write_text("raise ImportError('imported from the temporary folder')")
    arguments = (str(path), str(folder / "gate"), str(shared))
    answer = json.loads(bridge.python(_PROGRAM, *arguments, within=500))
    return {**answer, "shared": str(shared)}


def test_create_gives_name_and_token(seen):
    assert seen["name"] == "gated.flow-1"
    assert seen["token"].startswith("gated.flow-1-")


def test_a_run_is_known_at_once_and_pending_until_it_starts(seen):
    pathspec, no_run, status = seen["at once"]

    assert re.fullmatch(r"Gated/airflow-[0-9a-f]{16}", pathspec)
    assert (seen["suspended"], no_run, status, seen["unsuspended"]) == (True, True, "PENDING", True)
    assert seen["started"] == ["RUNNING", True, False]


def test_a_run_ends_with_its_values_and_tags(seen):
    assert seen["done"] == ["SUCCEEDED", False, True, 8]
    assert "nightly" in seen["tags"]


def test_a_deployment_found_without_its_file_starts_runs_and_ends_them(seen):
    assert seen["terminated"] is True
    assert seen["ended"] == ["FAILED", False]


def test_the_file_made_for_it_had_a_folder_of_its_own_that_is_gone(seen):
    folder = Path(seen["file"]).parent
    assert str(folder.parent) == seen["shared"]
    assert not folder.exists()


def test_a_run_is_found_again_by_its_id(seen):
    assert seen["again"] == [True, "SUCCEEDED"]


def test_deployments_are_listed_until_they_are_deleted(seen):
    assert seen["listed"] == [True, ["gated.flow-1"], []]
    assert (seen["deleted"], seen["left"]) == (True, [])
    assert "has no DAG gated.flow-1" in seen["gone"]


@pytest.mark.parametrize(
    ("how", "failed", "words"),
    [
        ("late", "late", "timed out after 0 hours, 0 minutes, 1 seconds"),
        ("empty", "fan", "produced zero splits"),
    ],
)
def test_what_metaflow_ends_fails_with_its_words(bridge, tmp_path, how, failed, words):
    dag_id = bridge.export(FLOWS / "overdue.py")
    run_id = bridge.start(dag_id, {"how": how, "helper": str(tmp_path / "helper")})

    bridge.wait(dag_id, run_id, expect="failed", within=100)

    assert bridge.states(dag_id, run_id)[failed] == "failed"
    assert words in "\n".join(bridge.log(dag_id, run_id, failed))
    for helper in tmp_path.glob("helper"):
        assert not psutil.pid_exists(int(helper.read_text())), "it outlived its step"


def test_a_timeout_can_be_caught(bridge):
    dag_id = bridge.export(FLOWS / "overdue.py")

    artifacts = bridge.artifacts(f"{dag_id}/{bridge.run(dag_id, {'how': 'caught'})}")

    assert "timed out" in artifacts["merge"]["overdue"]


def test_config_values_of_the_export_reach_every_step(bridge):
    path = FLOWS / "configured.py"
    bridge.flow(path, "--config-value", "settings", '{"rounds": 7}', "airflow", "create")

    artifacts = bridge.artifacts(f"Configured/{bridge.run('Configured')}")

    assert (artifacts["start"]["rounds"], artifacts["end"]["again"]) == ("7", "7")

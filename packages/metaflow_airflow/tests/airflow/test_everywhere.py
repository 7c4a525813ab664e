"""What is tried on every Airflow and with every Metaflow: tests/airflow_matrix.py makes the table.

Flows that the oldest Metaflow takes, but for the switch; all of them run at once.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from .conftest import FLOWS
from .test_clearing import clear

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]

WITHIN = 600
"""Seconds in which a run ends, of all that run at once."""

RESUME = """
import json, sys
from metaflow import Run, namespace
namespace(None)
run = Run(sys.argv[1])
copied = {
    f"{step.id} {task.metadata_dict.get('foreach-execution-path', '')}".strip()
    for step in run for task in step if task.origin_pathspec
}
print("ANSWER" + json.dumps([run.origin_pathspec, sorted(copied), run.data.values]))
"""
GIVEN = {"text": "näive {{ x }}", "number": -7, "ratio": 1e-3, "wanted": False, "data": {"b": None}}


FLOWS_AND_VALUES: dict[str, dict[str, Any]] = {
    "linear": {},
    "branches": {},
    "chosen": {"way": "other"},
    "tried": {},
    "given": GIVEN,
    "fans": {},
}


class Started(NamedTuple):
    """A run that has begun."""

    path: Path
    dag_id: str
    dag_run_id: str


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """While this file is there, an item of Fans is broken if its run knows of it."""
    file = tmp_path_factory.mktemp("resume") / "broken"
    file.touch()
    return file


@pytest.fixture(scope="module")
def started(bridge, broken):
    """Asks for a run of a flow; all have begun before one is waited for."""
    runs: dict[str, Any] = {}
    for name, values in FLOWS_AND_VALUES.items():
        path = FLOWS / f"{name}.py"
        try:
            dag_id = bridge.export(path)
        except pytest.skip.Exception as unknown:
            runs[name] = unknown
            continue
        runs[name] = Started(path, dag_id, bridge.start(dag_id, values))
    path, dag_id, _ = runs["fans"]
    runs["broken"] = Started(path, dag_id, bridge.start(dag_id, {"broken": str(broken)}))

    def run(name):
        if isinstance(runs[name], pytest.skip.Exception):
            raise runs[name]
        return runs[name]

    return run


def ended(bridge, run):
    """Wait for its end; the artifacts of its tasks."""
    return bridge.artifacts(
        f"{run.dag_id}/{bridge.wait(run.dag_id, run.dag_run_id, within=WITHIN)}"
    )


@pytest.fixture(scope="module")
def whole(bridge, started):
    """A run of Fans that ended well, and its artifacts."""
    run = started("fans")
    return run, ended(bridge, run)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("linear", marks=pytest.mark.every_airflow("linear")),
        pytest.param("branches", marks=pytest.mark.every_airflow("branches")),
        pytest.param("chosen", marks=pytest.mark.every_airflow("switch")),
        pytest.param("tried", marks=pytest.mark.every_airflow("retries, catch")),
        pytest.param("given", marks=pytest.mark.every_airflow("parameters")),
    ],
)
def test_artifacts_are_those_of_a_local_run(bridge, started, name):
    run, values = started(name), FLOWS_AND_VALUES[name]
    # By REST a JSON parameter's value is JSON itself, on a command line it is its text.
    words = {k: json.dumps(v) if isinstance(v, dict) else v for k, v in values.items()}

    local = bridge.local_artifacts(run.path, words)

    assert ended(bridge, run) == local


@pytest.mark.every_airflow("nested foreach")
def test_a_foreach_in_a_foreach_leaves_what_a_local_run_leaves(bridge, whole):
    run, artifacts = whole

    assert artifacts == bridge.local_artifacts(run.path, {})


@pytest.mark.every_airflow("clear")
def test_an_item_that_is_cleared_runs_again_without_the_others(bridge, whole):
    run, before = whole
    # Airflow numbers the items of both levels in a row.
    clear(bridge, run.dag_run_id, ["work", 2], dag_id=run.dag_id)

    after = ended(bridge, run)

    again = {task for task, values in after.items() if values.get("attempt") == "1"}
    assert again == {"work outer:1,work:0"}
    assert after["join"] == before["join"]


@pytest.mark.every_airflow("resume")
def test_a_failed_run_is_resumed_where_it_failed(bridge, started, broken, tmp_path):
    run = started("broken")
    origin = bridge.wait(run.dag_id, run.dag_run_id, expect="failed", within=WITHIN)
    broken.unlink()

    words = (f"--origin-run-id={origin}", f"--run-id-file={tmp_path / 'id'}")
    bridge.flow(run.path, "airflow", "resume", *words)

    resumed = (tmp_path / "id").read_text()
    runs = json.loads(bridge.flow(run.path, "airflow", "list-runs", "--json").splitlines()[0])
    [dag_run_id] = [each["dag_run_id"] for each in runs if each["run_id"] == resumed]
    bridge.wait(run.dag_id, dag_run_id, within=WITHIN)
    came_from, copied, values = json.loads(bridge.python(RESUME, f"{run.dag_id}/{resumed}"))
    assert came_from == f"{run.dag_id}/{origin}"
    assert "work outer:0,work:1" in copied
    assert not {"work outer:1,work:0", "join", "end"} & set(copied)
    assert values == [["0A", "0B"], ["1A"]]

"""What is tried on every Airflow and with every Metaflow: tests/airflow_matrix.py makes the table.

Flows that the oldest Metaflow takes, but for the switch; all of them run at once. Clear and resume
are in test_clearing.py and test_resume.py, of flows with a switch.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from .conftest import FLOWS

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]

WITHIN = 600
"""Seconds in which a run ends, of all that run at once."""

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
def started(bridge):
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

    def run(name):
        if isinstance(runs[name], pytest.skip.Exception):
            raise runs[name]
        return runs[name]

    return run


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("linear", marks=pytest.mark.every_airflow("linear")),
        pytest.param("branches", marks=pytest.mark.every_airflow("branches")),
        pytest.param("fans", marks=pytest.mark.every_airflow("nested foreach")),
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

    run_id = bridge.wait(run.dag_id, run.dag_run_id, within=WITHIN)
    assert bridge.artifacts(f"{run.dag_id}/{run_id}") == local

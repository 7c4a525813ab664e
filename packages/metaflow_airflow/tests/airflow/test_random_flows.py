"""Random flows leave on Airflow what `flow.py run` leaves, task by task.

METAFLOW_AIRFLOW_RANDOM_FLOWS="5 12 29" runs the flows of these seeds instead of the chosen ones.
"""

import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.stack

# Of few tasks each: branches in a foreach; a switch in a nested foreach.
CHOSEN = "13 43"
SEEDS = [int(seed) for seed in os.environ.get("METAFLOW_AIRFLOW_RANDOM_FLOWS", CHOSEN).split()]


def run_twice(bridge, random_flow, folder, seed):
    """Artifacts of the flow's tasks from a local run and from Airflow, by step and item."""
    flow = random_flow(f"Random{seed}", random.Random(seed).randint, most_steps=8)  # noqa: S311
    path = folder / f"random{seed}.py"
    path.write_text(flow.source)
    dag_id = bridge.export(path)
    run_id = bridge.start(dag_id)
    local = folder / f"{seed}.id"
    options = ["--datastore=local", "run", "--max-workers=2", f"--run-id-file={local}"]
    bridge.flow(path, *options)
    expected = bridge.artifacts(f"{dag_id}/{local.read_text()}")
    found = bridge.artifacts(f"{dag_id}/{bridge.wait(dag_id, run_id, within=500)}")
    return expected, found


@pytest.fixture(scope="module")
def runs(bridge, random_flow, tmp_path_factory):
    folder = tmp_path_factory.mktemp("random")
    with ThreadPoolExecutor(3) as pool:
        yield {seed: pool.submit(run_twice, bridge, random_flow, folder, seed) for seed in SEEDS}


@pytest.mark.parametrize("seed", SEEDS)
def test_artifacts_are_those_of_a_local_run(runs, seed):
    expected, found = runs[seed].result()

    assert found == expected

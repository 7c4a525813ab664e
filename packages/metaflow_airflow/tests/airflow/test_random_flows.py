"""Random flows end on Airflow as under `flow.py run`, and leave the same, task by task.

Other seeds than the chosen ones: METAFLOW_AIRFLOW_RANDOM_FLOWS="5 12 29" for shapes alone,
METAFLOW_AIRFLOW_FEATURED_FLOWS for those with decorators, parameters and a step that goes wrong.
"""

import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from json import loads

import pytest

from .differential import READ, Ending, differences

pytestmark = pytest.mark.stack

# Of few tasks each: branches in a foreach; a switch in a nested foreach.
PLAIN = os.environ.get("METAFLOW_AIRFLOW_RANDOM_FLOWS", "13 43")
FEATURED = os.environ.get("METAFLOW_AIRFLOW_FEATURED_FLOWS", "1 5")
SEEDS = [*PLAIN.split(), *(f"featured {seed}" for seed in FEATURED.split())]


class Twice:
    """A random flow that runs locally and on Airflow at the same time."""

    def __init__(self, bridge, random_flow, folder, seed):
        kind, _, number = seed.rpartition(" ")
        self.bridge = bridge
        self.dag_id = f"Random{kind.title()}{number}"
        choose = random.Random(int(number)).randint  # noqa: S311
        self.flow = random_flow(self.dag_id, choose, most_steps=8, featured=bool(kind))
        self.path = folder / f"{self.dag_id}.py"
        self.path.write_text(self.flow.source)

    def run(self):
        """How the two ended, locally and on Airflow; nothing where Airflow is not triggered."""
        self.bridge.flow(self.path, *self.flow.options, "airflow", "create")
        trigger = ["--quiet", "airflow", "trigger", "--json", *self.flow.arguments]
        answer = self.bridge.flow(self.path, *trigger, check=not self.flow.refused)
        if self.flow.refused:
            assert "cannot be sent to Airflow" in answer
            return None
        run = loads(answer[answer.index("{") :])
        local = self._local()
        state = self.bridge.end(self.dag_id, run["dag_run_id"], within=500)
        return local, Ending(state == "success", self._tasks(run["run_id"]))

    def _local(self):
        file = self.path.with_suffix(".id")
        command = [sys.executable, str(self.path), "--no-pylint", "--datastore=local"]
        command += [*self.flow.options, "run", "--max-workers=1", f"--run-id-file={file}"]
        done = subprocess.run(
            [*command, *self.flow.arguments],
            env=dict(self.bridge.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )
        assert file.exists(), done.stdout + done.stderr
        tasks = self._tasks(file.read_text())
        # After sys.exit(0) in the last step `run` says "Done!", and its run is not successful.
        done_all = all(task["done"] for task in tasks.values())
        return Ending(done.returncode == 0 and done_all, tasks)

    def _tasks(self, run_id):
        return loads(self.bridge.python(READ, f"{self.dag_id}/{run_id}"))


@pytest.fixture(scope="module")
def runs(bridge, random_flow, tmp_path_factory):
    folder = tmp_path_factory.mktemp("random")
    pool = ThreadPoolExecutor(3)
    twice = {seed: Twice(bridge, random_flow, folder, seed) for seed in SEEDS}
    yield {seed: pool.submit(flow.run) for seed, flow in twice.items()}
    pool.shutdown(cancel_futures=True)  # after Ctrl-C those that have not begun do not


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_on_airflow_ends_as_a_local_one(runs, seed):
    ended = runs[seed].result()

    if ended:
        local, remote = ended
        assert not differences(local, remote)
        assert local.done(), "something was compared"

"""An earlier release of the flows runs beside the newer one, by the documented command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.airflow_api.runs import new_dag_run_id
from metaflow_airflow.wire import ids
from workspace_clone import ROOT, UV, Clone

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(
        "LONG_TESTS" not in os.environ, reason="takes minutes: LONG_TESTS=1 runs it"
    ),
    pytest.mark.skipif(UV is None, reason="uv is neither in $UV nor on PATH"),
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no clone: there is no git"),
]

FLOW = "packages/ml_flows/src/ml_flows/story.py"
SOURCE = """from pathlib import Path
import time

from metaflow import FlowSpec, Parameter, step


class Story(FlowSpec):
    go = Parameter("go", help="a file that start waits for", default="")

    @step
    def start(self):
        self.version = VERSION
        deadline = time.monotonic() + 300
        while self.go and not Path(self.go).exists():
            if time.monotonic() > deadline:
                raise TimeoutError("nobody said go")
            time.sleep(0.2)
        self.next(self.end)

    @step
    def end(self):
        self.ended = VERSION


if __name__ == "__main__":
    Story()
"""
EXPORT = (str(UV), "run", "--quiet", "--package", "ml-flows", "python", FLOW, "--no-pylint",
          "airflow", "create")  # fmt: skip
READ = """
import json, sys
from metaflow import Run, namespace
namespace(None)
found = {}
for run in map(Run, sys.argv[1:]):
    data = run["end"].task.data
    found[run.id] = [data.version, data.ended, sorted(run.user_tags)]
print(json.dumps(found))
"""


def release(clone: Clone, version: int) -> None:
    """A release of the flows with the flow at that version."""
    (clone.folder / FLOW).write_text(SOURCE.replace("VERSION", str(version)))
    clone.run("git", "add", FLOW)
    clone.change("ml_flows", "Added", f"The story, number {version}")
    clone.make("ml-flows", f"dist{version}")


def until(client: AirflowClient, run: str, *states: str) -> None:
    deadline = time.monotonic() + 300
    while (state := client.state("Story", run)) not in states:
        assert state != "failed", list(client.task_instances("Story", run))
        assert time.monotonic() < deadline, f"{run} is {state}"
        time.sleep(0.5)


def test_the_flows_go_back_while_the_newer_release_runs(stack: Any, tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    for version in (1, 2):
        release(clone, version)
    client = AirflowClient(stack.airflow_url, *stack.airflow_login)
    older, newer = ("ml-flows-v0.1.0", "ml-flows-v0.2.0")
    assert clone.run("git", "tag", "--points-at", "HEAD").split() == [newer]

    clone.run(*EXPORT, env=stack.environment())
    client.set_paused("Story", False)
    go = tmp_path / "go"
    client.trigger("Story", second := new_dag_run_id(), {"go": str(go)})
    until(client, second, "running")
    clone.release("at", older, *EXPORT, env=stack.environment())
    client.trigger("Story", first := new_dag_run_id(), {})
    until(client, first, "success")
    tags = {tag["name"] for tag in client.dag("Story")["tags"]}
    go.touch()
    until(client, second, "success")

    runs = [f"Story/{ids.run_id('Story', run)}" for run in (first, second)]
    read = subprocess.run(
        [sys.executable, "-c", READ, *runs],
        env=stack.environment(), capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert json.loads(read.stdout) == {
        ids.run_id("Story", first): [1, 1, ["ml-flows-0.1.0"]],
        ids.run_id("Story", second): [2, 2, ["ml-flows-0.2.0"]],
    }
    assert "ml-flows-0.1.0" in tags
    assert clone.run("git", "tag", "--points-at", "HEAD").split() == [newer], "the tree stays"

"""The bridge on a real Airflow: export a flow, run it there, read it with Metaflow's client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.airflow_api.runs import new_dag_run_id
from metaflow_airflow.bundle.objects import FolderObjects
from metaflow_airflow.bundle.versions import Versions
from metaflow_airflow.wire import ids

FLOWS = Path(__file__).parent.parent / "flows"

# Run in a Python of its own: Metaflow reads its settings once, at import.
_READ = """
import json, sys
from metaflow import Run, namespace
namespace(None)
tasks = {}
for step in Run(sys.argv[1]):
    if step.id.startswith("_"):
        continue
    for task in step:
        item = task.metadata_dict.get("foreach-execution-path", "")
        loops = task["_iteration_stack"].data if "_iteration_stack" in task else []
        key = " ".join(filter(None, [step.id, item, *(f"iteration {n}" for n in loops)]))
        assert key not in tasks, f"{key} twice"
        tasks[key] = {
            artifact.id: repr(artifact.data)
            for artifact in task.artifacts
            if not artifact.id.startswith("_") and artifact.id != "name"
        }
print("ANSWER" + json.dumps(tasks))
"""


@dataclass
class Bridge:
    """Exports flows into the stack's Airflow and runs them."""

    environment: Mapping[str, str]
    client: AirflowClient
    interpreter: str = sys.executable
    known: set[Path] = field(default_factory=set)

    def flow(
        self,
        path: Path,
        *arguments: str,
        check: bool = True,
        cwd: Path | None = None,
    ) -> str:
        """Run a flow's command line; its standard output."""
        self._skip_unless_known(path)
        done = subprocess.run(
            [self.interpreter, str(path), "--no-pylint", *arguments],
            env=dict(self.environment),
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        output = done.stdout + done.stderr
        assert (done.returncode == 0) is check, f"{path.name} {arguments}:\n{output}"
        return output

    def _skip_unless_known(self, path: Path) -> None:
        """Another Metaflow than the workspace's may not have what the flow uses."""
        if self.interpreter == sys.executable or path in self.known:
            return
        check = [self.interpreter, str(path), "--no-pylint", "check"]
        done = subprocess.run(
            check, env=dict(self.environment), capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines()
            pytest.skip(f"that Metaflow does not take {path.name}: {said[-1]}")
        self.known.add(path)

    def export(self, path: Path, *arguments: str) -> str:
        """Export a flow and unpause its DAG; the DAG's id."""
        self.flow(path, "airflow", *arguments, "create")
        name = arguments[arguments.index("--name") + 1] if "--name" in arguments else None
        dag_id = name or json.loads(self._dag_id(path))
        self.client.set_paused(dag_id, False)
        return dag_id

    @property
    def versions(self) -> Versions:
        """Of the DAG bundle that flows are exported to."""
        return Versions(FolderObjects(Path(self.environment["METAFLOW_AIRFLOW_DAGS_FOLDER"])))

    def dag_file(self, name: str) -> str:
        """The text of a DAG file of the newest version."""
        manifest = self.versions.manifest(self.versions.newest())
        return self.versions.content(manifest, name).decode()

    def _dag_id(self, path: Path) -> str:
        text = path.read_text()
        return json.dumps(text.split("\nclass ")[1].split("(")[0])

    def start(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Trigger a run; Airflow's run id."""
        run_id = new_dag_run_id()
        self.client.trigger(dag_id, run_id, conf or {})
        return run_id

    def wait(
        self, dag_id: str, run_id: str, *, expect: str = "success", within: float = 300
    ) -> str:
        """Wait for the end of a run; Metaflow's run id."""
        state = self.end(dag_id, run_id, within=within)
        assert state == expect, f"{dag_id} {run_id}: {state}\n{self._story(dag_id, run_id)}"
        return ids.run_id(dag_id, run_id)

    def end(self, dag_id: str, run_id: str, *, within: float = 300) -> str:
        """Wait for the end of a run; success or failed."""
        deadline = time.monotonic() + within
        while (state := self.client.state(dag_id, run_id)) not in ("success", "failed"):
            assert time.monotonic() < deadline, f"{dag_id}: {self.states(dag_id, run_id)}"
            time.sleep(0.5)
        return state

    def _story(self, dag_id: str, run_id: str) -> str:
        """State of each task instance, and of the failed ones the end of their logs."""
        lines = []
        for task in self.client.task_instances(dag_id, run_id):
            lines.append(f"{task['task_id']}[{task['map_index']}]: {task['state']}")
            if task["state"] == "failed" and task["try_number"]:
                log = self.log(
                    dag_id, run_id, task["task_id"], task["try_number"], task["map_index"]
                )
                lines += [f"    {line}" for line in log[-15:]]
        return "\n".join(lines)

    def log(
        self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1
    ) -> list[str]:
        """The lines of a task instance's log, and what it failed with."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        answer = self.client._get(path, {"map_index": map_index, "full_content": "true"})
        lines = []
        for entry in answer["content"]:
            lines.append(str(entry.get("event")))
            lines += [str(error["exc_value"]) for error in entry.get("error_detail") or ()]
        return lines

    def run(self, dag_id: str, conf: Mapping[str, Any] | None = None, **wait: Any) -> str:
        """Trigger a run and wait for its end; Metaflow's run id."""
        return self.wait(dag_id, self.start(dag_id, conf), **wait)

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """State of each task instance: task or task[map index]."""
        return {
            t["task_id"] + (f"[{t['map_index']}]" if t["map_index"] >= 0 else ""): t["state"]
            for t in self.client.task_instances(dag_id, run_id)
        }

    def artifacts(self, pathspec: str) -> dict[str, dict[str, str]]:
        """Artifacts of all tasks of a run, by step and item."""
        answer = self.python(_READ, pathspec)
        return json.loads(answer)

    def local_artifacts(
        self, path: Path, parameters: Mapping[str, Any]
    ) -> dict[str, dict[str, str]]:
        """Artifacts of all tasks of `flow.py run`, by step and item."""
        options = [f"--{name}={value}" for name, value in parameters.items()]
        # The datastore is the test's way to look, not what it looks at; a folder is the quickest.
        with tempfile.NamedTemporaryFile("r") as run_id:
            options.append(f"--run-id-file={run_id.name}")
            self.flow(path, "--datastore=local", "run", *options)
            return self.artifacts(f"{json.loads(self._dag_id(path))}/{run_id.read()}")

    def python(self, program: str, *arguments: str, within: float = 120) -> Any:
        """What a program prints after ANSWER, run with the stack's settings."""
        done = subprocess.run(
            [self.interpreter, "-c", program, *arguments],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=within,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split("ANSWER", 1)[1]


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Any:
    """The embedded stack, or the Airflow that --airflow names."""
    other = request.config.getoption("--airflow")
    return request.getfixturevalue("other_airflow" if other else "stack")


@pytest.fixture(scope="session")
def bridge(stack: Any, flows_python: str) -> Bridge:
    environment = {**os.environ, **stack.environment()}
    client = AirflowClient(stack.airflow_url, *stack.airflow_login)
    return Bridge(environment, client, flows_python)

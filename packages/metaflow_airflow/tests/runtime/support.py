"""Runs steps of the flows in flows/ through the launcher, by hand-made tasks."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metaflow_airflow.runtime.worker.step_process import StepProcess
from metaflow_airflow.wire import ids
from metaflow_airflow.wire.task import Init, StepResult, StepTask
from s3_server import S3Server

FLOWS = Path(__file__).with_name("flows")
CODE_METADATA = json.dumps({"version": 0, "archive_format": "tgz", "mfcontent_version": 1})


@dataclass
class Platform:
    """A datastore and local metadata, and the environment that leads to them."""

    server: S3Server
    directory: Path
    packages: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """For flow commands, clients and workers."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("METAFLOW", "AWS_", "AIRFLOW"))
        }
        return {
            **kept,
            **self.server.environment,
            "METAFLOW_S3_ENDPOINT_URL": self.server.url,
            "METAFLOW_DEFAULT_DATASTORE": "s3",
            "METAFLOW_DATASTORE_SYSROOT_S3": self.root,
            "METAFLOW_DEFAULT_METADATA": "local",
            "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(self.directory),
            "METAFLOW_USER": "tester",
            "METAFLOW_HOME": str(self.directory / "home"),
            "METAFLOW_AIRFLOW_TMPDIR": str(self.directory / "host"),
        }

    @property
    def root(self) -> str:
        """Of the datastore."""
        return f"s3://{self.server.bucket}/metaflow"

    def python(
        self, code: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> Any:
        """Run code in a Python of its own; what it prints as its last line, read as JSON."""
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=environment or self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def flow_command(self, script: str, *arguments: str) -> str:
        """Run a command of the flow; its standard output."""
        done = subprocess.run(
            [sys.executable, script, *arguments],
            cwd=FLOWS,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def package(self, flow: str, script: str) -> tuple[str, str]:
        """Upload the flow's code package as a deployment does; its URL and hash."""
        if script not in self.packages:
            file = self.directory / f"{script}.tgz"
            self.flow_command(script, "--quiet", "--no-pylint", "package", "save", str(file))
            sha = hashlib.sha1(file.read_bytes(), usedforsecurity=False).hexdigest()
            key = f"metaflow/{flow}/data/{sha[:2]}/{sha}"
            self.client().upload_file(str(file), self.server.bucket, key)
            self.packages[script] = (f"s3://{self.server.bucket}/{key}", sha)
        return self.packages[script]

    def client(self) -> Any:
        """A client of the S3 server."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.server.url,
            aws_access_key_id=self.server.access_key,
            aws_secret_access_key=self.server.secret_key,
            region_name="us-east-1",
        )

    def artifacts(self, pathspec: str) -> dict[str, Any]:
        """The artifacts of a task, of its last attempt, as JSON."""
        return dict(self.python(_ARTIFACTS, pathspec))

    def run_artifacts(self, pathspec: str) -> dict[str, Any]:
        """The artifacts of all tasks of a run, by step and index path."""
        return dict(self.python(_RUN_ARTIFACTS, pathspec))

    def streams(self, pathspec: str, attempt: int | None = None) -> tuple[str, str]:
        """What the client gives as a task's stdout and stderr."""
        stdout, stderr = self.python(_STREAMS, pathspec, json.dumps(attempt))
        return stdout, stderr

    def metadata(self, pathspec: str) -> dict[str, str]:
        """A task's metadata."""
        return dict(self.python(_METADATA, pathspec))


@dataclass
class LauncherRun:
    """A run of a flow whose steps are started one by one, as Airflow's tasks do."""

    platform: Platform
    flow: str
    script: str
    parameters: dict[str, Any] = field(default_factory=dict)
    run_id: str = field(default_factory=lambda: f"airflow-{uuid.uuid4().hex[:12]}")
    lines: list[tuple[str, str]] = field(default_factory=list)

    def task(
        self,
        step: str,
        inputs: Sequence[str] = (),
        path: Sequence[int] = (),
        *,
        attempt: int = 0,
        generation: int = 0,
        **fields: Any,
    ) -> StepTask:
        """An attempt of a task; `start` gets the run's parameters."""
        url, sha = self.platform.package(self.flow, self.script)
        init = None
        if step == "start":
            init = Init(ids.parameters_task_id(self.parameters), self.parameters)
        defaults = StepTask(
            flow=self.flow,
            script=self.script,
            code_url=url,
            code_sha=sha,
            code_metadata=CODE_METADATA,
            datastore="s3",
            datastore_root=self.platform.root,
            options=(
                "--quiet",
                "--no-pylint",
                "--metadata=local",
                "--environment=local",
                "--datastore=s3",
                f"--datastore-root={self.platform.root}",
                "--event-logger=nullSidecarLogger",
                "--monitor=nullSidecarMonitor",
                "--with=airflow_internal",
            ),
            step=step,
            run_id=self.run_id,
            task_id=ids.task_id(self.run_id, step, path, generation),
            attempt=attempt,
            input_paths=tuple(inputs),
            init=init,
            owner="tester",
        )
        return dataclasses.replace(defaults, **fields)

    def process(
        self,
        task: StepTask,
        on_line: Callable[[str, str], None] | None = None,
        *,
        grace: float = 10,
        **environ: str,
    ) -> StepProcess:
        """The worker's side of it."""
        return StepProcess(
            task,
            python=sys.executable,
            on_line=on_line or (lambda stream, line: self.lines.append((stream, line))),
            environ={**self.platform.environment, **environ},
            grace=grace,
        )

    def run(self, step: str, *arguments: Any, **fields: Any) -> StepResult:
        """Run an attempt to its end, however it ends."""
        return self.process(self.task(step, *arguments, **fields)).run()

    def succeed(self, step: str, *arguments: Any, **fields: Any) -> tuple[str, StepResult]:
        """Run an attempt that must succeed; its pathspec (run/step/task) and result."""
        task = self.task(step, *arguments, **fields)
        result = self.process(task).run()
        assert result.ok, (result, self.text())
        return task.pathspec, result

    def text(self, stream: str | None = None) -> str:
        """The lines that the worker got."""
        return "\n".join(line for name, line in self.lines if stream in (None, name))

    def spec(self, step: str, path: Sequence[int] = (), generation: int = 0) -> str:
        """A task's name for the client."""
        return f"{self.flow}/{self.pathspec(step, path, generation)}"

    def pathspec(self, step: str, path: Sequence[int] = (), generation: int = 0) -> str:
        """A task's name for another one that takes it as input."""
        return f"{self.run_id}/{step}/{ids.task_id(self.run_id, step, path, generation)}"


_HEAD = """
import json, sys
from metaflow import Run, Step, Task, namespace
namespace(None)
def plain(value):
    return json.loads(json.dumps(value, default=repr))
def artifacts(task):
    return {a.id: plain(a.data) for a in task if not a.id.startswith("_")}
"""
_ARTIFACTS = _HEAD + "print(json.dumps(artifacts(Task(sys.argv[1]))))"
_RUN_ARTIFACTS = (
    _HEAD
    + """
found = {}
for step in Run(sys.argv[1]):
    for task in step:
        stack = task.metadata_dict.get("foreach-execution-path", "")
        found[f"{step.id}[{stack}]"] = artifacts(task)
print(json.dumps(found))
"""
)
_STREAMS = (
    _HEAD
    + """
task = Task(sys.argv[1], attempt=json.loads(sys.argv[2]))
print(json.dumps([task.stdout, task.stderr]))
"""
)
_METADATA = _HEAD + "print(json.dumps(Task(sys.argv[1]).metadata_dict))"

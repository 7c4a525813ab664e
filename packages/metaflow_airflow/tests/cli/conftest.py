"""The command line against a real S3 server and a small Airflow API: no DAG is run."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from metaflow_airflow.airflow_api.deployments import read_record
from metaflow_airflow.plan.record import Record
from s3_server import S3Server

HEAD = "from metaflow import *\n"
STEPS = """
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@dataclass
class CommandLine:
    """Runs the commands of a flow that a test writes; Airflow loads each file at once."""

    airflow: Any
    folder: Path
    dags: Path
    environment: dict[str, str]
    arguments: list[str] = field(default_factory=lambda: ["--no-pylint"])

    def write(self, body: str = "", *, name: str = "Flow", head: str = "", on: str = "") -> Path:
        """A flow of two steps: its class's body, what stands before it, decorators on it."""
        path = self.folder / "flow.py"
        path.write_text(
            f"{HEAD}{textwrap.dedent(head)}\n{on}\nclass {name}(FlowSpec):\n"
            f"{textwrap.indent(textwrap.dedent(body), '    ')}{STEPS}\n"
            f'if __name__ == "__main__":\n    {name}()\n'
        )
        return path

    def __call__(
        self, *words: str, script: str = "flow.py", options: tuple[str, ...] = (), **env: str
    ) -> tuple[int, str]:
        """Exit code and output of a verb."""
        done = subprocess.run(
            [sys.executable, script, *self.arguments, *options, "airflow", *words],
            env={**self.environment, **env},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        output = done.stdout + done.stderr
        assert "Traceback" not in output, output
        return done.returncode, output

    def good(self, *words: str, **named: object) -> str:
        """Output of a verb that must work."""
        code, output = self(*words, **named)  # type: ignore[arg-type]
        assert code == 0, output
        return output

    def refused(self, *words: str, **named: object) -> str:
        """Output of a verb that must be refused; its white space is one blank each."""
        code, output = self(*words, **named)  # type: ignore[arg-type]
        assert code == 1, output
        return " ".join(output.split())

    def python(self, program: str) -> str:
        """What a program prints, from another folder than the flow's."""
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            env=self.environment,
            cwd=self.dags,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def record(self, name: str = "Flow") -> Record:
        """What a deployment's file says."""
        return read_record((self.dags / f"{name}.py").read_text())

    def conf(self) -> dict[str, object]:
        """Of the run that was triggered last."""
        found: dict[str, object] = self.airflow.runs[-1]["conf"]
        return found


@pytest.fixture
def command(s3_server: S3Server, airflow: Any, tmp_path: Path) -> CommandLine:
    """A command line of one user; what it exports, Airflow has."""
    for name in ("work", "dags", "home"):
        (tmp_path / name).mkdir()
    dags = tmp_path / "dags"

    def processor() -> None:
        airflow.sources.clear()
        for file in dags.glob("*.py"):
            airflow.load(file, read_record(file.read_text()).dag_id)

    airflow.on_ask = processor
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("METAFLOW", "AWS_"))}
    environment = {
        **kept,
        **s3_server.environment,
        **airflow.environment,
        "METAFLOW_S3_ENDPOINT_URL": s3_server.url,
        "METAFLOW_DEFAULT_DATASTORE": "s3",
        "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{s3_server.bucket}/{tmp_path.name}",
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(tmp_path),
        "METAFLOW_DEFAULT_METADATA": "local",
        "METAFLOW_HOME": str(tmp_path / "home"),
        "METAFLOW_USER": "ann",
        "METAFLOW_AIRFLOW_DAGS_FOLDER": str(dags),
    }
    return CommandLine(airflow, tmp_path / "work", dags, environment)

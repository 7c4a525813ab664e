"""Runs the same flows on several versions of Airflow, and prints a table of how they ended.

    uv run python benchmarks/airflow_versions.py [3.1.8 …] [--python 3.10]

Each version gets an environment of its own (what its package index had on the version's day, and
the bridge's wheel), its own `airflow standalone` and one real S3 server. The flows are exported
from this environment. A run is right when it ends as expected with the artifacts that `flow.py
run` makes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.airflow_api.runs import new_dag_run_id
from metaflow_airflow.wire import ids

ROOT = Path(__file__).resolve().parents[1]
FLOWS = ROOT / "packages" / "metaflow_airflow" / "tests" / "flows"
sys.path.insert(0, str(ROOT / "tests" / "support"))

from s3_server import S3Server, free_ports, running_in  # noqa: E402 - its place is not installed

DAYS = {"3.1.8": "2026-03-15", "3.2.2": "2026-07-15", "3.3.2": ""}
"""Airflow's versions, and the day whose packages fit; today's where none is given."""

UP_WITHIN, RUN_WITHIN = 240.0, 420.0  # seconds

_READ = """
import json, sys
from metaflow import Run, namespace
namespace(None)
found = {}
for step in Run(sys.argv[1]):
    if not step.id.startswith("_"):
        for task in step:
            item = task.metadata_dict.get("foreach-execution-path", "")
            found[f"{step.id} {item}"] = {
                artifact.id: repr(artifact.data)
                for artifact in task.artifacts
                if not artifact.id.startswith("_") and artifact.id != "name"
            }
print("ANSWER" + json.dumps(found))
"""


@dataclass(frozen=True)
class Case:
    """One flow as it is run, here and on Airflow.

    Args:
        shows: what the table's head says.
    """

    shows: str
    flow: str
    parameters: Mapping[str, str]

    @property
    def name(self) -> str:
        """The class of the flow, which is its DAG's id."""
        return (FLOWS / self.flow).read_text().split("\nclass ")[1].split("(")[0]


CASES = [
    Case("branches", "branches.py", {}),
    Case("nested foreach, parameters", "nested.py", {"size": "2"}),
    Case("switch", "switches.py", {"way": "deep"}),
]


class NotRightError(Exception):
    """A version did not do what it must; the text says what."""


def call(*command: str, env: Mapping[str, str], within: float = 300) -> str:
    """Run a command; its output.

    Raises:
        NotRightError: it failed.
    """
    done = subprocess.run(
        command, env=dict(env), cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=within,
    )  # fmt: skip
    if done.returncode:
        raise NotRightError(f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def build_wheel(folder: Path) -> Path:
    """The bridge as its users install it, made of its sdist: nothing is left in the tree."""
    call(
        "uv", "build", "-q", "--package", "metaflow-airflow", "-o", str(folder),
        env=os.environ,
    )  # fmt: skip
    return next(folder.glob("*.whl"))


def make_environment(folder: Path, airflow: str, python: str, wheel: Path) -> Path:
    """An environment with that Airflow and the bridge; its folder of programs."""
    call("uv", "venv", "-q", "--python", python, str(folder), env=os.environ)
    install = ["uv", "pip", "install", "-q", "--python", str(folder / "bin" / "python")]
    day = ["--exclude-newer", DAYS[airflow]] if DAYS.get(airflow) else []
    pin = f"apache-airflow=={airflow}"
    call(*install, *day, pin, "apache-airflow-providers-amazon", env=os.environ, within=900)
    # The bridge is newer than that day; it changes nothing that Airflow has brought.
    call(*install, pin, f"{wheel}[airflow]", env=os.environ)
    return folder / "bin"


@contextlib.contextmanager
def standalone(home: Path, programs: Path, s3: S3Server) -> Iterator[dict[str, str]]:
    """`airflow standalone`; the environment for flow commands against it.

    Raises:
        NotRightError: it is not ready in time.
    """
    port, log_port = free_ports(2)
    password = secrets.token_urlsafe(12)
    for name in ("dags", "metaflow"):
        (home / name).mkdir(parents=True)
    (home / "passwords.json").write_text(json.dumps({"admin": password}))
    url = f"http://127.0.0.1:{port}"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "METAFLOW"))}
    shared = inherited | s3.environment | {
        "METAFLOW_DEFAULT_DATASTORE": "s3",
        "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{s3.bucket}/metaflow",
        "METAFLOW_S3_ENDPOINT_URL": s3.url,
        "METAFLOW_DEFAULT_METADATA": "local",
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(home / "metaflow"),
        "METAFLOW_USER": "ann",
        "METAFLOW_AIRFLOW_TMPDIR": str(home),
    }  # fmt: skip
    servers = shared | {
        "PATH": f"{programs}:{shared['PATH']}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "2",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_port),
    }
    flows = shared | {
        "METAFLOW_AIRFLOW_DAGS_FOLDER": str(home / "dags"),
        "METAFLOW_AIRFLOW_REST_API_URL": url,
        "METAFLOW_AIRFLOW_REST_API_USERNAME": "admin",
        "METAFLOW_AIRFLOW_REST_API_PASSWORD": password,
    }
    with (home / "standalone.log").open("wb") as log:
        process = subprocess.Popen(
            [str(programs / "airflow"), "standalone"],
            env=servers, cwd=home, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        _wait_until_up(AirflowClient(url, "admin", password), process, home / "standalone.log")
        yield flows
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _wait_until_up(client: AirflowClient, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline, problem = time.monotonic() + UP_WITHIN, ""
    while time.monotonic() < deadline and process.poll() is None:
        try:
            client.has_pool("default_pool")
        except Exception as error:  # noqa: BLE001 - until the deadline each of them means: not yet
            problem = str(error)
            time.sleep(1)
        else:
            return
    raise NotRightError(f"standalone is not up: {problem}\n{log.read_text()[-3000:]}")


def run_case(case: Case, flows: Mapping[str, str]) -> str:
    """Run a flow here and on Airflow; the seconds that Airflow took, as text.

    Raises:
        NotRightError: the two did not end alike.
    """
    flow = [sys.executable, str(FLOWS / case.flow), "--no-pylint"]
    given = [f"--{name}={value}" for name, value in case.parameters.items()]
    with tempfile.TemporaryDirectory() as folder:
        run_id = Path(folder) / "run"
        call(*flow, "run", *given, f"--run-id-file={run_id}", env=flows)
        expected = _artifacts(f"{case.name}/{run_id.read_text().strip()}", flows)
    call(*flow, "airflow", "create", env=flows)
    client = AirflowClient(
        flows["METAFLOW_AIRFLOW_REST_API_URL"], flows["METAFLOW_AIRFLOW_REST_API_USERNAME"],
        flows["METAFLOW_AIRFLOW_REST_API_PASSWORD"],
    )  # fmt: skip
    client.set_paused(case.name, False)
    dag_run, begun = new_dag_run_id(), time.monotonic()
    client.trigger(case.name, dag_run, case.parameters)
    while (state := client.state(case.name, dag_run)) not in ("success", "failed"):
        if time.monotonic() > begun + RUN_WITHIN:
            break
        time.sleep(1)
    took = time.monotonic() - begun
    if state != "success":
        tasks = [
            f"{task['task_id']}[{task['map_index']}] {task['state']}\n{client.log(task)[-12:]}"
            for task in client.task_instances(case.name, dag_run)
            if task["state"] not in ("success", None)
        ]
        raise NotRightError(f"{case.name} is {state} after {took:.0f} s\n" + "\n".join(tasks))
    found = _artifacts(f"{case.name}/{ids.run_id(case.name, dag_run)}", flows)
    if found != expected:
        odd = {key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)}
        raise NotRightError(f"{case.name} has other artifacts than under `run`: {sorted(odd)}")
    return f"{took:.0f} s"


def _artifacts(run: str, flows: Mapping[str, str]) -> dict[str, dict[str, str]]:
    answer = call(sys.executable, "-c", _READ, run, env=flows)
    found: dict[str, dict[str, str]] = json.loads(answer.split("ANSWER", 1)[1])
    return found


def run_version(airflow: str, python: str, wheel: Path, folder: Path) -> list[str]:
    """What the table says of one version: a cell for each case, and why not below it."""
    cells = []
    programs = make_environment(folder / "env", airflow, python, wheel)
    (folder / "s3").mkdir()
    with (
        running_in(folder / "s3") as s3,
        standalone(folder / "airflow", programs, s3) as flows,
    ):
        for case in CASES:
            try:
                cells.append(run_case(case, flows))
            except NotRightError as error:
                cells.append("**failed**")
                print(f"Airflow {airflow}, {case.shows}: {error}", file=sys.stderr)
    return cells


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 if a run was not right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("versions", nargs="*", default=list(DAYS), help="of Airflow")
    parser.add_argument("--python", default="3.11", help="of Airflow and of the steps")
    options = parser.parse_args(arguments)
    heads = [case.shows for case in CASES]
    print(f"| Airflow | Python | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 2)}")
    wrong = False
    for airflow in options.versions:
        with tempfile.TemporaryDirectory(prefix="airflow-versions-") as name:
            folder = Path(name)
            cells = run_version(airflow, options.python, build_wheel(folder), folder)
        wrong = wrong or any("failed" in cell for cell in cells)
        print(f"| {airflow} | {Path(options.python).name} | {' | '.join(cells)} |", flush=True)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())

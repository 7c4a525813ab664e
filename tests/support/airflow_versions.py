"""A pytest plugin: another Airflow than the workspace's, in an environment of its own.

    pytest --airflow 3.1.8 [--airflow-python 3.10] [--metaflow 2.15.21] -m every_airflow

Each environment holds what the package index had on its version's day, and the bridge's wheel. The
Airflow is what `airflow standalone` starts. With --metaflow flows are exported from such an
environment too, not from the workspace's.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from s3_server import S3Server, free_ports

ROOT = Path(__file__).resolve().parents[2]

DAYS = {"3.1.8": "2026-03-15", "3.2.2": "2026-07-15"}
"""Airflow's versions, and the day whose packages fit; others take today's."""

_UV = os.environ.get("UV") or "uv"
_UP_WITHIN, _INSTALLED_WITHIN = 600.0, 600.0  # seconds


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say which versions the tests of the bridge on Airflow run with."""
    group = parser.getgroup("airflow")
    group.addoption("--airflow", metavar="VERSION", help="another Airflow than the workspace's")
    group.addoption("--airflow-python", default="3.11", metavar="VERSION", help="its Python")
    group.addoption("--metaflow", metavar="VERSION", help="another Metaflow to export flows with")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let pytest's report say what a test shows that is run on every version."""
    for item in items:
        for mark in item.iter_markers("every_airflow"):
            item.user_properties.append(("shows", mark.args[0]))


@dataclass(frozen=True)
class Standalone:
    """A running `airflow standalone`.

    Args:
        variables: what a flow command needs to use it and the datastore.
    """

    airflow_url: str
    airflow_login: tuple[str, str]
    variables: Mapping[str, str]

    def environment(self) -> dict[str, str]:
        """The whole environment for a flow command."""
        return dict(self.variables)


@pytest.fixture(scope="session")
def bridge_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bridge as its users install it."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def other_airflow(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server
) -> Iterator[Standalone]:
    """The Airflow that --airflow names; ends with the session."""
    folder, version = tmp_path_factory.mktemp("airflow"), request.config.getoption("--airflow")
    programs = make_environment(
        folder / "env", request.config.getoption("--airflow-python"),
        f"apache-airflow=={version}", "apache-airflow-providers-amazon", day=DAYS.get(version),
        bridge=f"{request.getfixturevalue('bridge_wheel')}[airflow]",
    )  # fmt: skip
    with standalone(folder / "home", programs, s3_server) as running:
        yield running


@pytest.fixture(scope="session")
def flows_python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What flow commands run with: this Python, or one with the Metaflow that --metaflow names."""
    version = request.config.getoption("--metaflow")
    if not version:
        return sys.executable
    programs = make_environment(
        tmp_path_factory.mktemp("metaflow") / "env", request.config.getoption("--airflow-python"),
        f"metaflow=={version}", "boto3",
        bridge=f"{request.getfixturevalue('bridge_wheel')}[metaflow]",
    )  # fmt: skip
    return str(programs / "python")


def build_wheel(folder: Path) -> Path:
    """The bridge as its users install it, made of its sdist: nothing is left in the tree."""
    _call(_UV, "build", "-q", "--package", "metaflow-airflow", "-o", str(folder))
    return next(folder.glob("*.whl"))


def make_environment(
    folder: Path, python: str, pin: str, *more: str, bridge: str, day: str | None = None
) -> Path:
    """Install the bridge beside what is pinned; the environment's folder of programs.

    Args:
        pin: name==version. more: other requirements. bridge: the wheel, with an extra.
        day: whose packages fit to what is pinned.
    """
    _call(_UV, "venv", "-q", "--python", python, str(folder))
    install = [_UV, "pip", "install", "-q", "--python", str(folder / "bin" / "python")]
    _call(*install, *(["--exclude-newer", day] if day else []), pin, *more)
    # The bridge is newer than that day; it changes nothing that is there.
    _call(*install, pin, bridge)
    return folder / "bin"


def _call(*command: str) -> None:
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=_INSTALLED_WITHIN
    )
    if done.returncode:
        pytest.fail(f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-3000:]}", pytrace=False)


@contextlib.contextmanager
def standalone(home: Path, programs: Path, s3: S3Server) -> Iterator[Standalone]:
    """An Airflow that is up.

    Args:
        home: its folder, to be made. programs: where its environment has them.
    """
    port, worker_port, trigger_port = free_ports(3)
    password = secrets.token_urlsafe(12)
    for name in ("dags", "metaflow"):
        (home / name).mkdir(parents=True)
    (home / "passwords.json").write_text(json.dumps({"admin": password}))
    url = f"http://127.0.0.1:{port}"
    own = ("AIRFLOW", "METAFLOW", "AWS_", "VIRTUAL_ENV", "PYTHONPATH")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(own)}
    shared = inherited | s3.environment | {
        "METAFLOW_DEFAULT_DATASTORE": "s3",
        "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{s3.bucket}/metaflow",
        "METAFLOW_S3_ENDPOINT_URL": s3.url,
        "METAFLOW_DEFAULT_METADATA": "local",
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(home / "metaflow"),
        "METAFLOW_USER": "ann",
        "METAFLOW_AIRFLOW_TMPDIR": str(home),
    }  # fmt: skip
    settings = {
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_FOLDER": str(home / "dags"),
        "CORE__PARALLELISM": "2",
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__BASE_URL": url,
        "API__WORKERS": "1",
        "API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "DAG_PROCESSOR__REFRESH_INTERVAL": "2",
        # What has not changed since is parsed once.
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
        "LOGGING__WORKER_LOG_SERVER_PORT": str(worker_port),
        "LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_port),
        "SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        # The first request waits for an API server that begins; a busy machine is no fault.
        "WORKERS__EXECUTION_API_TIMEOUT": "60",
    }
    servers = shared | {
        "PATH": f"{programs}:{shared['PATH']}",
        "AIRFLOW_HOME": str(home),
        **{f"AIRFLOW__{name}": value for name, value in settings.items()},
    }
    flows = shared | {
        "METAFLOW_AIRFLOW_DAGS_FOLDER": str(home / "dags"),
        "METAFLOW_AIRFLOW_REST_API_URL": url,
        "METAFLOW_AIRFLOW_REST_API_USERNAME": "admin",
        "METAFLOW_AIRFLOW_REST_API_PASSWORD": password,
    }
    log = home / "standalone.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [programs / "airflow", "standalone"],
            env=servers, cwd=home, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        running = Standalone(url, ("admin", password), flows)
        _wait_until_up(running, process, log)
        yield running
    finally:
        end_group(process)


def _wait_until_up(running: Standalone, process: subprocess.Popen[bytes], log: Path) -> None:
    from metaflow_airflow.airflow_api.client import AirflowClient, AirflowError

    client = AirflowClient(running.airflow_url, *running.airflow_login)
    deadline, problem = time.monotonic() + _UP_WITHIN, "never asked"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            client.has_pool("default_pool")
        except AirflowError as error:
            problem = str(error)
            time.sleep(0.5)
        else:
            return
    pytest.fail(
        f"standalone is not up (exit code {process.poll()}): {problem}\n"
        + log.read_text(errors="replace")[-3000:],
        pytrace=False,
    )


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process, then what it leaves of its group: standalone does not wait for its workers."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(30)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)

"""docs/own-airflow.md: its commands, typed by somebody who has neither Airflow nor this tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow_versions import DAYS, end_group, make_environment
from s3_server import free_ports

ROOT = Path(__file__).parent.parent
FLOW = ROOT / "packages/metaflow_airflow/tests/flows/branches.py"
WRITTEN = "3.3.2"
"""The version that stands in the guide."""

UP_WITHIN, ENDED_WITHIN = 900.0, 300.0  # seconds; pip installs Airflow first


def blocks() -> list[str]:
    """The guide's two shells."""
    guide = (ROOT / "docs/own-airflow.md").read_text()
    section = guide.split("## From nothing")[1].split("\n## ")[0]
    return re.findall(r"```bash\n(.*?)```", section, re.DOTALL)


class Newcomer:
    """Somebody with a home, who types the guide's commands.

    Args:
        version: of Airflow, in place of the one in the guide. links: where pip finds the bridge.
    """

    def __init__(self, home: Path, version: str, links: Path) -> None:
        self.project, self.version = home / "project", version
        self.project.mkdir()
        self.port, worker_port, trigger_port = free_ports(3)
        url = f"http://localhost:{self.port}"
        own = ("AIRFLOW", "METAFLOW", "AWS_", "PYTHON", "VIRTUAL_ENV")
        self.environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith(own)},
            "HOME": str(home),
            "METAFLOW_USER": "ann",
            "PATH": f"{Path(sys.base_prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PIP_FIND_LINKS": f"{os.environ.get('PIP_FIND_LINKS', '')} {links}",
            # Another stack may have the ports of the guide.
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",  # a busy machine is no fault
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_port),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_port),
        }

    def shell(self, text: str) -> list[str]:
        """A shell that has typed these lines, up to the first that fails."""
        text = text.replace(WRITTEN, self.version).replace(":8080", f":{self.port}")
        return ["bash", "-euc", text]

    def say(self, text: str) -> str:
        """Type lines, which must work; what they print."""
        done = subprocess.run(
            self.shell(text), env=self.environment, cwd=self.project, capture_output=True,
            text=True, check=False, timeout=UP_WITHIN,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def newcomer(
    request: pytest.FixtureRequest, tmp_path: Path, bridge_wheel: Path
) -> Iterator[Newcomer]:
    """With the guide's first shell at work."""
    version = request.config.getoption("--airflow")
    if not version:
        pytest.skip("pip installs an Airflow for it, which takes minutes: say --airflow VERSION")
    ann = Newcomer(tmp_path, version, bridge_wheel.parent)
    if version in DAYS:  # what the guide says of older ones
        (tmp_path / "airflow").mkdir()
        make_environment(
            tmp_path / "airflow/env", sys.executable, f"apache-airflow=={version}",
            day=DAYS[version], bridge=f"{bridge_wheel}[airflow]",
        )  # fmt: skip
    log = tmp_path / "standalone.log"
    with log.open("wb") as output:
        servers = subprocess.Popen(
            ann.shell(blocks()[0]), env=ann.environment, cwd=tmp_path, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + UP_WITHIN
        while "Airflow is ready" not in log.read_text(errors="replace"):
            late = time.monotonic() > deadline or servers.poll() is not None
            assert not late, f"standalone is not up:\n{log.read_text(errors='replace')[-3000:]}"
            time.sleep(0.5)
        yield ann
    finally:
        end_group(servers)


@pytest.mark.every_airflow("the guide, local datastore")
@pytest.mark.timeout(1800)
def test_the_guide_leads_to_a_run_that_ends_well(newcomer: Newcomer) -> None:
    shutil.copy(FLOW, newcomer.project / "flow.py")

    said = newcomer.say(blocks()[1])

    [run_id] = set(re.findall(r"airflow-[0-9a-f]{16}", said))
    settings = "\n".join(line for line in blocks()[1].splitlines() if line.startswith("export"))
    status = f"{settings}\n~/flows/bin/python flow.py airflow status {run_id} || true"
    deadline = time.monotonic() + ENDED_WITHIN
    while "SUCCEEDED" not in (said := newcomer.say(status)):
        assert "FAILED" not in said, said
        assert time.monotonic() < deadline, said
    read = (
        "from metaflow import Run, namespace; namespace(None); "
        f"print('total', Run('Branches/{run_id}')['join'].task.data.total)"
    )
    assert "total 36" in newcomer.say(f'{settings}\n~/flows/bin/python -c "{read}"')

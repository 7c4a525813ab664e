"""The oldest Airflow with a flow of the oldest Metaflow, in each run of CI.

One process of Airflow's own (`airflow dags test`) instead of its servers: the whole set of flows on
its scheduler is a row of tests/airflow_matrix.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from airflow_versions import DAYS, make_environment

from .conftest import FLOWS, Bridge

pytestmark = pytest.mark.timeout(900)

AIRFLOW, METAFLOW = "3.1.8", "2.15.21"


class Oldest(NamedTuple):
    """Both of them, on one datastore in a folder."""

    bridge: Bridge
    airflow: Path
    folder: Path


@pytest.fixture(scope="module")
def oldest(bridge_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Oldest:
    folder = tmp_path_factory.mktemp("oldest")
    programs = make_environment(
        folder / "airflow", sys.executable, f"apache-airflow=={AIRFLOW}", day=DAYS[AIRFLOW],
        bridge=f"{bridge_wheel}[airflow]",
    )  # fmt: skip
    flows = make_environment(
        folder / "flows", sys.executable, f"metaflow=={METAFLOW}",
        bridge=f"{bridge_wheel}[metaflow]",
    )  # fmt: skip
    own = ("AIRFLOW", "METAFLOW", "AWS_", "VIRTUAL_ENV", "PYTHONPATH")
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith(own)},
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(folder),
        "METAFLOW_USER": "ann",
        "AIRFLOW_HOME": str(folder / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    (folder / "dags").mkdir()
    run(programs / "airflow", "db", "migrate", env=environment)
    return Oldest(
        Bridge(environment, None, str(flows / "python")),  # type: ignore[arg-type]
        programs / "airflow",
        folder,
    )


def run(*command: str | Path, env: dict[str, str]) -> None:
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]


def test_a_nested_foreach_leaves_there_what_a_local_run_leaves(oldest: Oldest) -> None:
    bridge, path = oldest.bridge, FLOWS / "fans.py"

    bridge.flow(path, "airflow", "create", str(oldest.folder / "dags" / "fans.py"))
    run(oldest.airflow, "dags", "test", "Fans", env=dict(bridge.environment))

    [made] = (oldest.folder / ".metaflow" / "Fans").glob("airflow-*")
    local = bridge.local_artifacts(path, {})
    assert bridge.artifacts(f"Fans/{made.name}") == local

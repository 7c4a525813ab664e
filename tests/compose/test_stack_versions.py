"""A run keeps the version of the flow that it began with, in the containers too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from metaflow_airflow.airflow_api.client import AirflowClient
from pipeline.targets.compose import ComposeTarget

from .engine import has_docker
from .keeping import end, export, waiting

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not has_docker(), reason="no Docker engine answers"),
]


def version(api: AirflowClient, run: str) -> str:
    return str(api.run("Kept", run)["bundle_version"])


def clear(api: AirflowClient, run: str, *, newest: bool) -> None:
    body = {
        "dry_run": False,
        "dag_run_id": run,
        "only_failed": False,
        "reset_dag_runs": True,
        "run_on_latest_version": newest,
    }
    api._json("POST", "dags/Kept/clearTaskInstances", json=body)


def test_a_run_keeps_its_version_through_exports_a_rollback_and_clears(
    api: AirflowClient, target: ComposeTarget, tmp_path: Path
) -> None:
    export(target, "first", tmp_path)
    old = waiting(api, "first")
    flow = export(target, "second", tmp_path)
    new = waiting(api, "second")

    delete = [sys.executable, str(flow), "airflow", "delete"]
    done = subprocess.run(
        delete, env=target.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "a run whose DAG is deleted never ends" in done.stdout + done.stderr
    assert end(api, old) == {"start", "first", "end"}

    export(target, "first", tmp_path)  # a rollback
    assert end(api, new) == {"start", "second", "end"}

    began = version(api, new)
    assert began != version(api, old)
    clear(api, new, newest=False)
    assert end(api, new) == {"start", "second", "end"}
    assert version(api, new) == began

    clear(api, new, newest=True)
    assert end(api, new) >= {"start", "first", "end"}
    assert version(api, new) != began

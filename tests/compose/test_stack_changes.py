"""A run goes on while things change around it: exports, a rollback, a killed worker, new keys.

LONG_TESTS=1 uv run pytest tests/compose
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from metaflow_airflow.airflow_api.client import AirflowClient, AirflowError
from metaflow_airflow.wire.ids import run_id
from pipeline.targets.compose import ComposeTarget
from waiting import until

from .engine import KUBECONFIG, docker, has_docker
from .keeping import end, export, waiting, waits
from .runs import attempts, drawn, is_secret, task_of
from .shooting import crash

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not has_docker(), reason="no Docker engine answers"),
    pytest.mark.skipif(
        "LONG_TESTS" not in os.environ, reason="takes minutes: LONG_TESTS=1 runs it"
    ),
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
    airflow: AirflowClient, target: ComposeTarget, tmp_path: Path
) -> None:
    export(target, "first", tmp_path)
    old = waiting(airflow, "first")
    flow = export(target, "second", tmp_path)
    new = waiting(airflow, "second")

    delete = [sys.executable, str(flow), "airflow", "delete"]
    done = subprocess.run(
        delete, env=target.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "a run whose DAG is deleted never ends" in done.stdout + done.stderr
    assert end(airflow, old) == {"start", "first", "end"}

    export(target, "first", tmp_path)  # a rollback
    assert end(airflow, new) == {"start", "second", "end"}

    began = version(airflow, new)
    assert began != version(airflow, old)
    clear(airflow, new, newest=False)
    assert end(airflow, new) == {"start", "second", "end"}
    assert version(airflow, new) == began

    clear(airflow, new, newest=True)
    assert end(airflow, new) >= {"start", "first", "end"}
    assert version(airflow, new) != began


@pytest.mark.skipif(bool(KUBECONFIG), reason="steps are pods here, and no worker has them")
def test_a_step_whose_worker_is_killed_is_tried_again_once_and_soon(
    airflow: AirflowClient, target: ComposeTarget, tmp_path: Path
) -> None:
    export(target, "first", tmp_path, "--with", "retry:times=1,minutes_between_retries=0")
    run = waiting(airflow, "first")

    crash("worker-flows")
    docker("compose", "up", "--detach", "--wait")

    # Airflow itself would hear of it after a quarter of an hour.
    again = lambda: task_of(airflow, "Kept", run)["try_number"] == 2 and waits(airflow, run)  # noqa: E731
    until(again, "the second try", within=240)
    assert end(airflow, run) == {"start", "first", "end"}
    found = attempts(target, "Kept", run_id("Kept", run))
    (start,) = (numbers for task, numbers in found.items() if task.startswith("start/"))
    assert sorted(start) == ["0", "1"]
    assert {tuple(numbers) for task, numbers in found.items() if not task.startswith("start/")} == {
        ("0",)
    }


def test_all_is_drawn_anew_while_a_run_goes_on(
    airflow: AirflowClient, target: ComposeTarget, tmp_path: Path
) -> None:
    export(target, "first", tmp_path)
    run = waiting(airflow, "first")
    before, old = drawn(), target.s3("ML_DEPLOY")

    names = set(target.rotate())

    assert names >= {name for name in before if is_secret(name)} - {"K3S_TOKEN"}
    now = type(target)(target.state, lambda name, text: None)
    client = AirflowClient(now.airflow_url, *now.airflow_login)
    with pytest.raises(AirflowError):
        AirflowClient(now.airflow_url, *target.airflow_login).check()
    # Pods that run have the keys before: they stay until the next rotation.
    for s3 in (old, now.s3("ML_DEPLOY")):
        s3.list_objects_v2(Bucket="metaflow", Prefix="metaflow/")
    if KUBECONFIG:  # on a worker it was ended with its container
        assert end(client, run) == {"start", "first", "end"}
        counted = attempts(now, "Kept", run_id("Kept", run))
        assert {tuple(each) for each in counted.values()} == {("0",)}
    else:
        client.set_run_state("Kept", run, "failed")
    again = waiting(client, "first")
    assert end(client, again) == {"start", "first", "end"}

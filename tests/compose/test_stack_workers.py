"""A worker's container that is killed while a step of a flow works in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.wire.ids import run_id
from pipeline.targets.compose import ComposeTarget
from waiting import until

from .engine import KUBECONFIG, docker, has_docker
from .keeping import end, export, waiting, waits
from .runs import attempts, task_of
from .shooting import crash

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not has_docker(), reason="no Docker engine answers"),
    pytest.mark.skipif(bool(KUBECONFIG), reason="steps are pods here, and no worker has them"),
]


def test_a_step_whose_worker_is_killed_is_tried_again_once_and_soon(
    api: AirflowClient, target: ComposeTarget, tmp_path: Path
) -> None:
    export(target, "first", tmp_path, "--with", "retry:times=1,minutes_between_retries=0")
    run = waiting(api, "first")

    crash("worker-flows")
    docker("compose", "up", "--detach", "--wait")

    # Airflow itself would hear of it after a quarter of an hour.
    again = lambda: task_of(api, "Kept", run)["try_number"] == 2 and waits(api, run)  # noqa: E731
    until(again, "the second try", within=240)
    assert end(api, run) == {"start", "first", "end"}
    found = attempts(target, "Kept", run_id("Kept", run))
    (start,) = (numbers for task, numbers in found.items() if task.startswith("start/"))
    assert sorted(start) == ["0", "1"]
    assert {tuple(numbers) for task, numbers in found.items() if not task.startswith("start/")} == {
        ("0",)
    }

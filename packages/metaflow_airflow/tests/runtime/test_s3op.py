"""A step starts no more processes for S3 than its machine can use."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from .support import LauncherRun, Platform

BOUND = """
import json, os
from metaflow_airflow.runtime.flow.s3op import VARIABLE, bound_workers
print(json.dumps(bound_workers(os.environ).get(VARIABLE)))
"""
FITTING = str(min(64, 4 * len(os.sched_getaffinity(0))))


@pytest.mark.parametrize(
    ("in_environment", "in_file", "expected"),
    [(None, None, FITTING), ("7", None, "7"), ("7", "9", "7"), (None, "9", None)],
)
def test_a_number_that_somebody_chose_stays(
    platform: Platform,
    tmp_path: Path,
    in_environment: str | None,
    in_file: str | None,
    expected: str | None,
) -> None:
    chosen = {"METAFLOW_S3_WORKER_COUNT": in_file} if in_file else {}
    (tmp_path / "config.json").write_text(json.dumps(chosen))
    environment = {**platform.environment, "METAFLOW_HOME": str(tmp_path)}
    if in_environment:
        environment["METAFLOW_S3_WORKER_COUNT"] = in_environment

    assert platform.python(BOUND, environment=environment) == expected


def test_a_step_has_the_number(platform: Platform) -> None:
    run = LauncherRun(platform, "ClientsFlow", "clients.py")

    run.succeed("start")

    assert platform.artifacts(run.spec("start"))["workers"] == FITTING

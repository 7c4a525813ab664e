"""`current.airflow`: the run that a step is part of, and nothing under `run`."""

import subprocess
import sys
from datetime import datetime, timezone

from metaflow_airflow.airflow_run import AirflowRun
from metaflow_airflow.attempt.recipe import Run, decide
from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.attempt.tries import Try
from metaflow_airflow.plan.step import Deployment, PlannedStep

MORNING = datetime(2026, 1, 2, 6, tzinfo=timezone.utc)
DEFINITION = StepDefinition(
    flow="Flow",
    deployment=Deployment("flow.py", "s3://code", "0" * 40, "s3", "s3://root"),
    step=PlannedStep("start"),
    upstream=(),
    depth=0,
    may_skip=False,
    retries=0,
)


def run_of(this):
    todo = decide(DEFINITION, this, [])
    assert isinstance(todo, Run)
    return AirflowRun.from_variables(todo.task.env)


def test_a_step_reads_the_run_that_its_try_is_of():
    times = {
        "logical_date": MORNING.isoformat(),
        "data_interval_start": "2026-01-01T06:00:00+00:00",
        "data_interval_end": MORNING.isoformat(),
        "partition_key": "green/2024-01",
    }
    this = Try("Flow", "scheduled__1", "start", -1, 1, 0, (), {}, times=times)

    run = run_of(this)

    assert run
    assert (run.dag_id, run.run_id, run.partition_key) == ("Flow", "scheduled__1", "green/2024-01")
    assert run.logical_date == run.data_interval_end == MORNING
    assert run.data_interval_start == datetime(2026, 1, 1, 6, tzinfo=timezone.utc)


def test_a_run_that_an_event_started_has_no_date():
    this = Try("Flow", "asset__1", "start", -1, 1, 0, (), {})

    run = run_of(this)

    assert run
    assert run.try_number == 1
    assert (run.logical_date, run.data_interval_start, run.partition_key) == (None, None, None)


def test_without_airflow_it_is_there_and_empty():
    program = "from metaflow import current; print(bool(current.airflow), current.airflow.run_id)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["False", "None"]

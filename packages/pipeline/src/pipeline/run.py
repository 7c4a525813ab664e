"""The pipeline, end to end: features published, model trained, durations predicted."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from embedded.errors import StackError
from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.wire.ids import run_id

from pipeline import results
from pipeline.flows import DATA_DAG, FLOWS, Flow
from pipeline.follow import Follower
from pipeline.loading import wait_for_dags
from pipeline.options import Options
from pipeline.outcome import Outcome, Run, Stages, seconds_by_stage
from pipeline.targets.base import Target

Say = Callable[[str], None]


def run(target: Target, options: Options, say: Say) -> Outcome:
    """Run the pipeline on a target that is up, its flows exported.

    Raises StackError when it fails, AirflowError when Airflow refuses.
    """
    stages = Stages()
    client = AirflowClient(target.airflow_url, *target.airflow_login)
    with stages.stage("Airflow loads the DAGs"):
        wait_for_dags(target, client)
        for dag_id in (DATA_DAG, *(flow.dag_id for flow in FLOWS)):
            client.set_paused(dag_id, False)
    name = f"pipeline__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
    client.trigger(DATA_DAG, name, options.conf())
    say(f"{DATA_DAG} runs as {name}")
    deadline = time.monotonic() + options.timeout
    runs = Follower(target, client, say).follow(DATA_DAG, name, deadline)
    with stages.stage("read the results"):
        outcome = Outcome(
            options=options,
            features=results.features(
                target.environment(), options.cab, (*options.trained_on, options.month)
            ),
            report=results.report(target, *(_metaflow_run(runs, flow) for flow in FLOWS)),
            runs=runs,
        )
    outcome.seconds = seconds_by_stage(runs, stages.seconds)
    return outcome


def _metaflow_run(runs: dict[str, Run], flow: Flow) -> str:
    if flow.dag_id not in runs:
        raise StackError(f"{DATA_DAG} succeeded without a run of {flow.dag_id}")
    return run_id(flow.dag_id, runs[flow.dag_id].run_id)

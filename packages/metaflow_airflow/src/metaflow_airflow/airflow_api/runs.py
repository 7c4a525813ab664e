"""Runs of a DAG as Metaflow names them: airflow-<hash> of DAG id and DAG run id."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from metaflow_airflow.airflow_api.client import AirflowClient, NotFoundError
from metaflow_airflow.wire import ids

PENDING, RUNNING, SUCCEEDED, FAILED = "PENDING", "RUNNING", "SUCCEEDED", "FAILED"
_STATUS = {"queued": PENDING, "running": RUNNING, "success": SUCCEEDED, "failed": FAILED}


@dataclass(frozen=True)
class FlowRun:
    """A run of an exported flow, seen from Airflow.

    Args:
        run_id: Metaflow's. dag_run_id: Airflow's. status: PENDING, RUNNING, SUCCEEDED or FAILED.
        created, finished: ISO times, or None.
        version: of the DAG bundle that the run began with; None where that has no versions.
    """

    dag_id: str
    run_id: str
    dag_run_id: str
    status: str
    created: str | None = None
    finished: str | None = None
    version: str | None = None

    @classmethod
    def from_dag_run(cls, run: dict[str, Any]) -> FlowRun:
        """From what the REST API says of a DAG run."""
        return cls(
            dag_id=run["dag_id"],
            run_id=ids.run_id(run["dag_id"], run["dag_run_id"]),
            dag_run_id=run["dag_run_id"],
            status=status_of(run["state"]),
            created=run.get("queued_at") or run.get("run_after"),
            finished=run.get("end_date"),
            version=run.get("bundle_version"),
        )


def status_of(state: str) -> str:
    """PENDING, RUNNING, SUCCEEDED or FAILED, of a DAG run's state."""
    return _STATUS.get(state, RUNNING)


def new_dag_run_id() -> str:
    """A run id of Airflow's manual form that no other trigger can have chosen."""
    return f"manual__{datetime.now(timezone.utc).isoformat()}_{secrets.token_hex(4)}"


def start_run(client: AirflowClient, dag_id: str, conf: Mapping[str, Any]) -> FlowRun:
    """Start a run; Metaflow's run id is known at once.

    Raises:
        AirflowError: Airflow did not take it.
    """
    return FlowRun.from_dag_run(client.trigger(dag_id, new_dag_run_id(), conf))


def runs_of(client: AirflowClient, dag_id: str) -> Iterator[FlowRun]:
    """A DAG's runs, newest first."""
    return (FlowRun.from_dag_run(run) for run in client.runs(dag_id))


def runs_under_way(client: AirflowClient, dag_id: str) -> list[FlowRun]:
    """A DAG's runs that have not ended; none where Airflow has no such DAG."""
    try:
        return [FlowRun.from_dag_run(run) for run in client.runs(dag_id, "running", "queued")]
    except NotFoundError:
        return []


def find_run(client: AirflowClient, dag_id: str, run_id: str) -> FlowRun:
    """The run with Metaflow's run id (or Airflow's).

    Raises:
        NotFoundError: Airflow has no such run of the DAG.
    """
    for run in runs_of(client, dag_id):
        if run_id in (run.run_id, run.dag_run_id):
            return run
    raise NotFoundError(
        f"Airflow at {client.url} has no run {run_id} of {dag_id}. See: airflow list-runs"
    )

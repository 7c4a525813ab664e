"""What the DAG run that resumes another one is configured with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.airflow_api.run_conf import checked_values
from metaflow_airflow.airflow_api.runs import FAILED, SUCCEEDED, find_run, runs_of
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.plan.record import Record
from metaflow_airflow.wire.resumption import KEY, Resume


def resume_conf(
    client: AirflowClient,
    record: Record,
    origin: str | None,
    step_to_rerun: str | None,
    changed: Mapping[str, Any],
) -> dict[str, Any]:
    """The configuration of a run that takes over from `origin` (None: the DAG's newest run).

    Args:
        changed: values of the parameters that get another one.

    Raises:
        BridgeError: no such run, step or parameter, or the run has not ended.
    """
    dag_id = record.dag_id
    if step_to_rerun and step_to_rerun not in record.steps:
        raise BridgeError(
            f"{dag_id} has no step {step_to_rerun!r} to rerun. Its steps: "
            f"{', '.join(record.steps)}."
        )
    checked_values(record, changed)
    run = find_run(client, dag_id, origin) if origin else next(runs_of(client, dag_id), None)
    if run is None:
        raise BridgeError(f"{dag_id} has no run yet: there is nothing to resume.")
    if run.status not in (SUCCEEDED, FAILED):
        raise BridgeError(
            f"Run {run.run_id} has not ended yet ({run.status}): wait for its end, or call "
            f"airflow terminate {run.run_id}."
        )
    given = dict(client.run(dag_id, run.dag_run_id).get("conf") or {})
    given.pop(KEY, None)
    resumed = Resume(run.run_id, step_to_rerun, tuple(changed))
    return {**given, **changed, **resumed.to_conf()}

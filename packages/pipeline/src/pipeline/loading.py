"""Waits until Airflow has loaded the DAGs as they are in their files now."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from embedded.errors import StackError
from metaflow_airflow.airflow_api.client import AirflowClient, NotFoundError

from pipeline.flows import DATA_DAG, FLOWS, Flow
from pipeline.targets.base import Target

_SECONDS = 120.0
_POLL = 0.5


def wait_for_dags(target: Target, client: AirflowClient, flows: Sequence[Flow] = FLOWS) -> None:
    """Wait until Airflow has loaded the data team's DAG and those of the flows.

    Raises StackError with the import error of the file, at once when Airflow reports one.
    """
    files = {DATA_DAG: target.data_dag}
    files |= {flow.dag_id: target.flow_dag(flow.dag_file) for flow in flows}
    since = {dag_id: _changed(target, file) for dag_id, file in files.items()}
    deadline = time.monotonic() + _SECONDS
    while missing := [dag_id for dag_id in since if not _is_loaded(client, dag_id, since[dag_id])]:
        for dag_id in missing:
            _check_import(client, Path(files[dag_id]).name, since[dag_id])
        for name, report in target.failures():
            raise StackError(f"{name}: {report}")
        if time.monotonic() > deadline:
            raise StackError(
                f"Airflow has not loaded {', '.join(missing)} within {_SECONDS:.0f} s, and "
                f"reports no import error: see the DAG processor's log in {target.logs_folder}"
            )
        time.sleep(_POLL)


def _is_loaded(client: AirflowClient, dag_id: str, since: float) -> bool:
    try:
        dag = client.dag(dag_id)
    except NotFoundError:
        return False
    if dag["is_stale"] or dag["last_parsed_time"] is None:
        return False
    return datetime.fromisoformat(dag["last_parsed_time"]).timestamp() >= since


def _check_import(client: AirflowClient, file: str, since: float) -> None:
    for error in client.all_import_errors():
        of_this_text = datetime.fromisoformat(error["timestamp"]).timestamp() >= since
        if Path(error["filename"]).name == file and of_this_text:
            raise StackError(
                f"Airflow cannot load the DAG file {error['filename']} "
                f"(bundle {error['bundle_name']}):\n{error['stack_trace']}"
            )


def _changed(target: Target, file: str) -> float:
    changed = target.changed(file)
    if changed is None:
        raise StackError(f"there is no DAG file {file}")
    return changed

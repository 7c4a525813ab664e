"""Ends the pause of a DAG without running what it missed."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any

from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.compat.python import parse_time

_SECONDS = 30  # the DAG processor takes a file that is asked for at its next turn


def unpause(client: AirflowClient, dag_id: str, *, within: float = _SECONDS) -> bool:
    """Unpause a DAG.

    Airflow runs at once what it noted as the next run. It notes a time to come whenever it reads
    the file of a paused DAG, so a file that it has not read since the last time is read first.

    Args:
        within: seconds to wait for that.

    Returns:
        whether it was read, where it had to be; if not, the missed time is run now.
    """
    dag = client.dag(dag_id)
    overdue = dag["is_paused"] and not dag["catchup"] and _is_overdue(dag)
    if overdue:
        client.parse_again(dag["file_token"])
        deadline = time.monotonic() + within
        while (overdue := _is_overdue(client.dag(dag_id))) and time.monotonic() < deadline:
            time.sleep(0.5)
    client.set_paused(dag_id, False)
    return not overdue


def _is_overdue(dag: dict[str, Any]) -> bool:
    noted = dag["next_dagrun_run_after"]
    return noted is not None and parse_time(noted) <= datetime.now(timezone.utc)

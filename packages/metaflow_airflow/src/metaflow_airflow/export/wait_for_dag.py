"""Waits until Airflow has a DAG file, or can say why not."""

from __future__ import annotations

import time
from collections.abc import Callable

from metaflow_airflow.airflow_api.client import AirflowClient, AirflowError, NotFoundError
from metaflow_airflow.export.places import Place

_PAUSE = 0.5


def wait_for_dag(
    client: AirflowClient,
    dag_id: str,
    text: str,
    file_name: str,
    *,
    place: Place,
    deadline: float,
    tell: Callable[[str], None],
) -> None:
    """Return when Airflow serves exactly this text as the DAG's source.

    Args:
        place: where the file stands. deadline: seconds. tell: called once when it takes a while.

    Raises:
        AirflowError: the file has an import error, did not appear in time, or is another one by
            now.
    """
    began = time.monotonic()
    told = False
    while True:
        try:
            if client.source(dag_id) == text:
                return
            seen = "an older export"
        except NotFoundError:
            seen = "nothing"
        errors = client.import_errors(file_name)
        if errors:
            raise AirflowError(
                f"Airflow could not load {file_name}:\n{errors[0].strip()}\n"
                "Is metaflow-airflow installed where Airflow's DAG processor runs?"
            )
        waited = time.monotonic() - began
        if place.read(file_name) != text:
            raise AirflowError(
                f"{file_name} was exported or deleted by somebody else meanwhile: Airflow gets "
                "their version, not this one. Agree with them, then call create again."
            )
        if waited > deadline:
            raise AirflowError(
                f"Airflow at {client.url} did not load {dag_id} within {deadline:.0f} s (it has "
                f"{seen}). Does it read the place of {file_name}? [dag_processor] "
                "refresh_interval says how often it looks (300 s unless set)."
            )
        if waited > 5 and not told:
            tell(f"Waiting until Airflow at {client.url} has loaded {dag_id}...")
            told = True
        time.sleep(_PAUSE)

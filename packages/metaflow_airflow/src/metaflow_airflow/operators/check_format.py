"""A DAG file that a newer bridge wrote is refused, not misread."""

from __future__ import annotations

from metaflow_airflow.errors import BridgeError
from metaflow_airflow.plan.step import FORMAT


def check_format(flow: str, format: int, exported_by: str) -> None:
    """Look whether this bridge knows the words of a DAG file.

    Raises:
        BridgeError: a newer one wrote it.
    """
    if format > FORMAT:
        from metaflow_airflow import __version__

        raise BridgeError(
            f"This DAG of {flow} was exported by metaflow-airflow {exported_by}, but the older "
            f"{__version__} is installed here. Upgrade metaflow-airflow where Airflow "
            "runs, or export the flow again with the older version."
        )

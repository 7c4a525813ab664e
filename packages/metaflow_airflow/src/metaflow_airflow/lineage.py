"""Datasets that a step read and wrote, named by the step itself.

    from metaflow_airflow import lineage

    lineage.read("s3://features/2024-01.parquet")
    lineage.wrote("s3://predictions/2024-02.parquet")

On Airflow the run's page shows them, with the runs that wrote and read them; elsewhere they lead to
nothing. A run itself is metaflow://Flow/run.
"""

from __future__ import annotations

_read: list[str] = []
_wrote: list[str] = []


def read(uri: str) -> None:
    """Say that this step read a dataset.

    Args:
        uri: of the version that was read.
    """
    _read.append(str(uri))


def wrote(uri: str) -> None:
    """Say that this step wrote a dataset.

    Args:
        uri: of the version that was written.
    """
    _wrote.append(str(uri))


def said() -> dict[str, list[str]]:
    """What this process's step has named, each URI once and in order."""
    return {"read": list(dict.fromkeys(_read)), "wrote": list(dict.fromkeys(_wrote))}

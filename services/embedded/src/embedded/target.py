"""What the pipeline needs of the place it runs on: the embedded stack, or the one in containers."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Target(Protocol):
    """An Airflow with a place for exported flows, an object store, and Python for flow commands.

    Nothing here says who started the servers, or whether they are processes or containers.
    """

    @property
    def airflow_url(self) -> str:
        """Where Airflow's API and user interface are."""
        ...

    @property
    def airflow_login(self) -> tuple[str, str]:
        """User name and password for Airflow."""
        ...

    def flow_dag(self, name: str) -> str:
        """Where an exported flow's file of that name goes: a path or an s3:// URL."""
        ...

    @property
    def data_dag(self) -> str:
        """Where the data engineering team's DAG file is: a path or an s3:// URL."""
        ...

    def changed(self, file: str) -> float | None:
        """When a DAG file was put in its place last (Unix time); None when it is not there."""
        ...

    @property
    def export_options(self) -> tuple[str, ...]:
        """Options of the flow's command line for every export, such as --with kubernetes."""
        ...

    @property
    def export_stamp(self) -> Path:
        """The file that tells which code was exported last."""
        ...

    @property
    def flows_folder(self) -> Path:
        """Where the flow files are."""
        ...

    @property
    def flows_python(self) -> Path:
        """The Python that runs flow commands."""
        ...

    @property
    def logs_folder(self) -> Path:
        """Where the pipeline puts logs of its own."""
        ...

    def environment(self) -> dict[str, str]:
        """The whole environment of a flow command: object store, Metaflow, Airflow's login."""
        ...

    def failures(self) -> list[tuple[str, str]]:
        """(name, report with the end of its log) of each server that died."""
        ...

    def revive(self) -> None:
        """Start servers that died; StackError when they do not come back."""
        ...

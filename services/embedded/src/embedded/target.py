"""What the pipeline needs of the place it runs on; the embedded stack is the first such place."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Target(Protocol):
    """An Airflow with a folder for exported flows, an object store, and Python for flow commands.

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

    @property
    def dags_folder(self) -> Path:
        """Where exported flows go."""
        ...

    @property
    def data_engineering_dags(self) -> Path:
        """Where the data engineering team's DAG files are."""
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

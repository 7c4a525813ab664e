"""What the pipeline needs of the place it runs on."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from embedded import flows_env
from embedded.state import State
from metaflow_airflow.bundle.versions import Versions

Report = Callable[[str, str], None]


class Target(ABC):
    """An Airflow with a place for exported flows, an object store, and Python for flow commands.

    Nothing here says who started the servers, or whether they are processes or containers.
    `report(name, text)` hears what happens to them; `state` keeps what this machine needs: the
    flows' environment, and logs of commands.
    """

    name: str
    """The word of --target."""
    chain = False
    """Whether the flows are exported without triggers: the data team's DAG starts them."""

    def __init__(self, state: State, report: Report) -> None:
        self.state = state
        self.root = flows_env.workspace()
        self._report = report

    # -- the servers

    @property
    @abstractmethod
    def is_running(self) -> bool:
        """Whether there is anything that `down` would stop."""

    @abstractmethod
    def bring_up(self) -> None:
        """Start what is missing, wait until a DAG can run, and deploy both teams' code.

        Raises StackError with the end of the log of what went wrong; what this started ends then.
        """

    @abstractmethod
    def down(self) -> None:
        """Stop the servers; what they keep stays."""

    @abstractmethod
    def rotate(self) -> list[str]:
        """Draw passwords and keys anew and bring them to what runs; return their names."""

    @abstractmethod
    def failures(self) -> list[tuple[str, str]]:
        """Return (name, report with the end of its log) of each server that stays dead."""

    def restarted(self) -> Mapping[int, str]:
        """Return the reports of servers that died and are started again, by number of the end."""
        return {}

    @abstractmethod
    def revive(self) -> None:
        """Start servers that died; StackError when they do not come back."""

    @abstractmethod
    def log_end(self, server: str) -> str:
        """Return the last lines of a server's log."""

    # -- where things are

    @property
    @abstractmethod
    def airflow_url(self) -> str:
        """Where Airflow's API and user interface are."""

    @property
    @abstractmethod
    def airflow_login(self) -> tuple[str, str]:
        """User name and password for Airflow."""

    @property
    @abstractmethod
    def place(self) -> str:
        """Where the servers are, in words: "no stack runs in …"."""

    def up_command(self, stack: str) -> str:
        """Return what to type so that the servers run; `stack` is how to call that command."""
        return f"{stack} up"

    @property
    @abstractmethod
    def keeps(self) -> str:
        """Where keys, logs and data are, in words."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Return the whole environment of a flow command: store, Metaflow, Airflow's login."""

    # -- code

    @abstractmethod
    def flow_dag(self, name: str) -> str:
        """Where an exported flow's file of that name goes: a path or an s3:// URL."""

    @property
    @abstractmethod
    def data_dag(self) -> str:
        """Where the data engineering team's DAG file is: a path or an s3:// URL."""

    @abstractmethod
    def changed(self, file: str) -> float | None:
        """When a DAG file was put in its place last (Unix time); None when it is not there."""

    # -- what is left over

    @property
    @abstractmethod
    def bundles(self) -> list[Versions]:
        """The DAG bundles with versions, as whoever deploys to them may write them."""

    @abstractmethod
    def clean_airflow(self, words: Sequence[str]) -> subprocess.CompletedProcess[str] | None:
        """Run `airflow_service.clean` where Airflow's logs are; None: not from here."""

    def data_environment(self) -> dict[str, str]:
        """Return the whole environment of a command of the data team."""
        return self.environment()

    @property
    def export_options(self) -> tuple[str, ...]:
        """Options of the flow's command line for every export, such as --with kubernetes."""
        return ()

    @property
    @abstractmethod
    def export_stamp(self) -> Path:
        """The file that tells which code was exported last."""

    @property
    def flows_folder(self) -> Path:
        """Where the flow files are."""
        return self.root / "packages" / "ml_flows" / "src" / "ml_flows"

    @property
    def flows_python(self) -> Path:
        """The Python that runs flow commands on this machine."""
        return self.state.flows_python

    @property
    def logs_folder(self) -> Path:
        """Where logs of commands on this machine are."""
        return self.state.folder("logs")

"""The servers as processes of this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from embedded import processes
from embedded.environment import data_engineering_dags
from embedded.stack import Stack
from embedded.start import FLOWS_ENV
from embedded.state import State
from metaflow_airflow.bundle.objects import FolderObjects
from metaflow_airflow.bundle.versions import Versions

from pipeline.targets.base import Report, Target
from pipeline.targets.dag_files import written_in_folder
from pipeline.targets.export import EXPORT_SECONDS, Export


class EmbeddedTarget(Target):
    """The stack in a state directory; `ports` are fixed by name, free ones are taken otherwise."""

    name = "embedded"

    def __init__(self, state: State, report: Report, ports: Mapping[str, int]) -> None:
        super().__init__(state, report)
        self.stack = Stack(state.root, report)
        self._ports = dict(ports)

    @property
    def is_running(self) -> bool:
        """Whether a supervisor owns the stack."""
        return self.stack.is_running

    def bring_up(self) -> None:
        """Bring the stack up and export the flows meanwhile."""
        with self.stack.starting(self._ports) as start:
            start.wait_for(FLOWS_ENV, "s3")
            export = Export(self)
            export.start()
            try:
                start.wait()
                export.finish(EXPORT_SECONDS)
            except BaseException:
                export.stop()
                raise

    def down(self) -> None:
        """Stop every process of the stack."""
        self.stack.down()

    def rotate(self) -> list[str]:
        """Draw passwords and keys anew; a stack that runs is started anew with them."""
        was_up = self.stack.down()
        names = self.state.rotate()
        if was_up:
            self.stack.up()
        return names

    def failures(self) -> list[tuple[str, str]]:
        """Return (name, report with the end of its log) of each server that stays dead."""
        return self.stack.failures()

    def restarted(self) -> dict[int, str]:
        """Return the reports of servers that died, which the supervisor starts again."""
        return {end["number"]: end["report"] for end in self.stack.ends()}

    def revive(self) -> None:
        """Start servers that died."""
        self.stack.up()

    def log_end(self, server: str) -> str:
        """Return the last lines of a server's log."""
        return "\n".join(processes.log_end(self.state.log(server)))

    @property
    def airflow_url(self) -> str:
        """Where Airflow's API and user interface are."""
        return self.stack.airflow_url

    @property
    def airflow_login(self) -> tuple[str, str]:
        """User name and password of Airflow's administrator."""
        return self.stack.airflow_login

    @property
    def place(self) -> str:
        """The state directory."""
        return str(self.state.root)

    @property
    def keeps(self) -> str:
        """Where keys, logs and data are, in words."""
        return f"keys, logs and data are in {self.state.root}"

    def environment(self) -> dict[str, str]:
        """Return the whole environment of a flow command."""
        return self.stack.environment()

    def flow_dag(self, name: str) -> str:
        """Where an exported flow's file of that name goes."""
        return str(self.stack.dags_folder / name)

    @property
    def data_dag(self) -> str:
        """Where the data engineering team's DAG file is."""
        return str(data_engineering_dags() / "data_engineering_dag.py")

    def changed(self, file: str) -> float | None:
        """When a DAG file was written last; None when there is none."""
        return written_in_folder(Path(file))

    @property
    def bundles(self) -> list[Versions]:
        """That of the exported flows; the data team's DAG is read from the checkout."""
        return [Versions(FolderObjects(self.stack.dags_folder))]

    def clean_airflow(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run it with the servers' environment."""
        return subprocess.run(
            [sys.executable, "-m", "airflow_service.clean", *words],
            env=self.stack.server_environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip

    @property
    def export_stamp(self) -> Path:
        """The file that tells which code was exported last."""
        return self.stack.dags_folder / ".exported.json"

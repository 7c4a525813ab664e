"""An Airflow that somebody else runs: flows are exported to it, nothing is started or stopped."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from embedded import flows_env
from embedded.environment import base_environment
from embedded.errors import StackError
from embedded.state import State
from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.bundle.objects import FolderObjects, S3Objects
from metaflow_airflow.bundle.versions import Versions

from pipeline import s3
from pipeline.targets.base import Report, Target
from pipeline.targets.dag_files import written_in_folder, written_in_s3
from pipeline.targets.export import export_all

_URL, _USERNAME, _PASSWORD = (
    f"METAFLOW_AIRFLOW_REST_API_{name}" for name in ("URL", "USERNAME", "PASSWORD")
)
_FOLDER, _ROOT = "METAFLOW_AIRFLOW_DAGS_FOLDER", "TRIP_DATA_ROOT"
_WHAT = {
    _URL: "Airflow's address", _USERNAME: "who signs in", _PASSWORD: "their password",
    _FOLDER: "where DAG files go, a folder or s3://", _ROOT: "where the datasets are, s3://",
}  # fmt: skip


class OwnTarget(Target):
    """The Airflow that the environment names, as `flow.py airflow create` takes it.

    Its workers have the data team's package and the bridge, and read the DAG files' place. Metaflow
    is configured as it is for you: environment, or ~/.metaflowconfig.

    Args:
        environment: the caller's, whole.
    """

    name = "own"
    place = "your own Airflow"

    def __init__(
        self, state: State, report: Report, environment: Mapping[str, str] = os.environ
    ) -> None:
        super().__init__(state, report)
        self._given = environment
        missing = [f"{name} ({what})" for name, what in _WHAT.items() if not environment.get(name)]
        if missing:
            raise StackError(f"--target own needs {', '.join(missing)} in the environment")

    @property
    def is_running(self) -> bool:
        """It is there, or the first request says that it is not."""
        return True

    def bring_up(self) -> None:
        """Sign in, make the flows' environment, and export the flows."""
        AirflowClient(self.airflow_url, *self.airflow_login).check()
        self.state.create()
        if not flows_env.is_current(self.state, self.root):
            sync = flows_env.start_sync(self.state, self.root, base_environment(self.state))
            flows_env.finish_sync(self.state, self.root, sync.wait())
        exported = ", ".join(export_all(self)) or "nothing new"
        self._report("flows", f"exported to {self._given[_FOLDER]}: {exported}")

    def down(self) -> None:
        """Stop nothing: none of it is ours."""

    def rotate(self) -> list[str]:
        """Refuse: none of its secrets are ours."""
        raise StackError("the secrets of your own Airflow are with whoever runs it")

    def failures(self) -> list[tuple[str, str]]:
        """Return nothing: whoever runs it sees its servers."""
        return []

    def revive(self) -> None:
        """Start nothing."""

    def log_end(self, server: str) -> str:
        """Say where the log is."""
        return f"see the {server}'s log of your Airflow"

    @property
    def airflow_url(self) -> str:
        """Where Airflow's API and user interface are."""
        return self._given[_URL].rstrip("/")

    @property
    def airflow_login(self) -> tuple[str, str]:
        """User name and password for Airflow."""
        return self._given[_USERNAME], self._given[_PASSWORD]

    @property
    def keeps(self) -> str:
        """Where keys, logs and data are, in words."""
        return f"logs of commands are in {self.logs_folder}, datasets in {self._given[_ROOT]}"

    def environment(self) -> dict[str, str]:
        """Return the caller's environment."""
        return dict(self._given)

    def flow_dag(self, name: str) -> str:
        """Where an exported flow's file of that name goes."""
        return f"{self._given[_FOLDER].rstrip('/')}/{name}"

    @property
    def data_dag(self) -> str:
        """The data team's DAG file, wherever they deploy it."""
        return "data_engineering_dag.py"

    def changed(self, file: str) -> float | None:
        """When an exported file was written last; the data team's is theirs, whenever it came."""
        if file == self.data_dag:
            return 0.0
        if not file.startswith("s3://"):
            return written_in_folder(Path(file))
        url, _, name = file.rpartition("/")
        try:
            return written_in_s3(s3.client(self._given), url, name)
        except (BotoCoreError, ClientError) as error:
            raise StackError(f"cannot look at {file}: {error}") from error

    @property
    def bundles(self) -> list[Versions]:
        """That of the exported flows, if it has versions."""
        place = self._given[_FOLDER]
        if place.startswith("s3://"):
            bucket, _, prefix = place.removeprefix("s3://").partition("/")
            client = s3.client(self._given)
            found = Versions(S3Objects(client, bucket, prefix.strip("/")))
        else:
            found = Versions(FolderObjects(Path(place)))
        return [found] if found.is_there() else []

    def clean_airflow(self, words: Sequence[str]) -> None:
        """Leave it to whoever runs it."""

    @property
    def export_stamp(self) -> Path:
        """The file that tells which code was exported last."""
        return self.state.root / "own-exported.json"

"""What `airflow create` does, step by step."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metaflow_airflow.cli import naming, read_flow
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.graph.read import read_graph
from metaflow_airflow.plan import Deployment, Plan, build_plan
from metaflow_airflow.plan.schedule import read_schedule
from metaflow_airflow.render import render

DAGS_FOLDER = "METAFLOW_AIRFLOW_DAGS_FOLDER"
_SHARED_DATASTORES = ("s3", "azure", "gs")


@dataclass
class Export:
    """One export of the flow that `obj` (Metaflow's command line state) holds."""

    obj: Any
    tags: tuple[str, ...] = ()
    namespace: str | None = None
    max_workers: int | None = None
    timeout: int | None = None
    pool: str | None = None
    paused: bool | None = None

    def target(self, file: str | None) -> Path:
        """Where the DAG file goes: FILE, else <dag id>.py in the DAGs folder.

        Raises:
            BridgeError: no such folder, or the flow's own file.
        """
        if file is None:
            folder = os.environ.get(DAGS_FOLDER)
            if not folder:
                raise BridgeError(
                    "Where should the DAG file go? Give FILE, or set "
                    f"{DAGS_FOLDER} to the folder that Airflow reads."
                )
            path = Path(folder) / f"{self.obj.airflow.dag_id}.py"
        else:
            path = Path(file)
        if path.resolve() == Path(sys.argv[0]).resolve():
            raise BridgeError(f"{path} is the flow's own file. Give the DAG file another name.")
        if not path.parent.is_dir():
            raise BridgeError(f"There is no folder {path.parent} for the DAG file {path.name}.")
        if not os.access(path.parent, os.W_OK):
            raise BridgeError(
                f"The DAGs folder {path.parent} cannot be written by this user. Choose another "
                "FILE, or ask whoever owns Airflow for access."
            )
        return path

    def check(self) -> None:
        """Refuse what cannot run, before anything is uploaded.

        Raises:
            BridgeError: a datastore that workers cannot see, a step that Airflow cannot run.
        """
        datastore = self.obj.flow_datastore.TYPE
        if datastore not in _SHARED_DATASTORES:
            raise BridgeError(
                f"Datastore *{datastore}* is not seen by Airflow's workers. Export with "
                f"--datastore={'|'.join(_SHARED_DATASTORES)} (and its METAFLOW_DATASTORE_SYSROOT)."
            )
        self._graph = read_graph(self.obj.flow)
        schedule = self._graph.decorator("schedule")
        self._schedule = read_schedule(schedule.attributes) if schedule else None
        self._decorators, attached = read_flow.read_attached(self.obj)
        self._blocks = build_plan(self._graph, decorators=attached)
        self._parameters = tuple(
            read_flow.read_parameters(self.obj.flow, scheduled=self._schedule is not None)
        )

    def token(self, authorize: str | None, given: str | None, generate: bool) -> str:
        """The production token of the deployment."""
        return naming.resolve_token(
            self.obj.airflow, self.obj, authorize=authorize, given=given, generate=generate
        )

    def write(self, path: Path, token: str) -> None:
        """Upload the code package, then put the DAG file in place in one move."""
        plan = self._plan(token)
        text = render(plan)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w") as stream:
                stream.write(text)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except OSError as error:
            Path(temporary).unlink(missing_ok=True)
            raise BridgeError(f"{path} could not be written: {error}.") from error

    def _plan(self, token: str) -> Plan:
        from metaflow.util import get_username

        package = self._package()
        return Plan(
            dag_id=self.obj.airflow.dag_id,
            flow=self.obj.flow.name,
            deployment=Deployment(
                script=Path(sys.argv[0]).name,
                code=package.package_url(),
                code_sha=package.package_sha(),
                code_metadata=package.package_metadata,
                datastore=self.obj.flow_datastore.TYPE,
                datastore_root=self.obj.flow_datastore.datastore_root,
                options=read_flow.read_options(self.obj),
                decorators=self._decorators,
                tags=self.tags,
                namespace=self.namespace,
                owner=get_username() or "",
                production_token=token,
                environment=read_flow.read_settings(),
            ),
            blocks=self._blocks,
            parameters=self._parameters,
            schedule=self._schedule,
            doc=self._graph.doc,
            paused=self.paused,
            max_workers=self.max_workers,
            pool=self.pool,
            timeout=self.timeout,
        )

    def _package(self) -> Any:
        from metaflow.package import MetaflowPackage

        obj = self.obj
        obj.package = MetaflowPackage(
            obj.flow,
            obj.environment,
            obj.echo,
            suffixes=obj.package_suffixes,
            flow_datastore=obj.flow_datastore,
        )
        return obj.package

"""What `airflow create` does, step by step."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metaflow_airflow.airflow_api.client import setting
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.export import naming, read_flow
from metaflow_airflow.export import s3_place as s3
from metaflow_airflow.export.places import Place, place_of
from metaflow_airflow.graph.read_graph import read_graph
from metaflow_airflow.plan import Deployment, Plan, PlannedStep, build_plan
from metaflow_airflow.plan.exit_hooks import read_hooks
from metaflow_airflow.plan.schedule import read_schedule
from metaflow_airflow.plan.sensors import read_sensors
from metaflow_airflow.render import render

DAGS_FOLDER = "AIRFLOW_DAGS_FOLDER"
KUBERNETES_CONN_ID = "AIRFLOW_KUBERNETES_CONN_ID"
_SHARED_DATASTORES = ("s3", "azure", "gs")


_NOWHERE = Deployment(script="", code="", code_sha="", datastore="", datastore_root="")


def target_of(file: str | None, dag_id: str) -> tuple[Place, str]:
    """Where the DAG file goes, and its name: FILE, else <dag id>.py in the DAGs folder.

    Raises:
        BridgeError: neither is given, or FILE is the flow's own file.
    """
    if file is None:
        folder = setting(DAGS_FOLDER)
        if not folder:
            raise BridgeError(
                f"Where should the DAG file go? Give FILE, or set METAFLOW_{DAGS_FOLDER} to the "
                "folder (or s3:// URL of the DAG bundle) that Airflow reads."
            )
        return place_of(folder), f"{dag_id}.py"
    if not file.startswith("s3://") and Path(file).resolve() == Path(sys.argv[0]).resolve():
        raise BridgeError(f"{file} is the flow's own file. Give the DAG file another name.")
    if not file.endswith(".py"):
        raise BridgeError(f"FILE {file} must end in .py: Airflow loads no DAGs from other files.")
    folder, _, name = file.rpartition("/")
    return place_of(folder or ("/" if file.startswith("/") else ".")), name


def is_read(file: str | None) -> bool:
    """Whether Airflow can be expected to read the DAG file there (unknown places: yes)."""
    folder = setting(DAGS_FOLDER)
    if file is None or not folder:
        return True
    if file.startswith("s3://") or folder.startswith("s3://"):
        return file.startswith(f"{folder.rstrip('/')}/")
    return Path(file).resolve().is_relative_to(Path(folder).resolve())


@dataclass
class Export:
    """One export of the flow that `obj` (Metaflow's command line state) holds."""

    obj: Any
    tags: tuple[str, ...] = ()
    namespace: str | None = None
    max_workers: int | None = None
    timeout: int | None = None
    pool: str | None = None
    pods_on: str = "triggerer"
    connection: str | None = None
    paused: bool | None = None

    def check(self) -> None:
        """Refuse what cannot run, before anything is uploaded.

        Raises:
            BridgeError: a datastore that workers cannot see, a step that Airflow cannot run.
            MetaflowException: tags that Metaflow does not take.
        """
        from metaflow.tagging_util import validate_tags

        validate_tags(self.tags)
        datastore = self.obj.flow_datastore.TYPE
        if datastore not in _SHARED_DATASTORES:
            raise BridgeError(
                f"Datastore *{datastore}* is not seen by Airflow's workers. Export with "
                f"--datastore={'|'.join(_SHARED_DATASTORES)} (and its METAFLOW_DATASTORE_SYSROOT)."
            )
        self.read()
        pods = [step.name for step in self._steps() if step.pod]
        if pods and self.connection:
            raise BridgeError(
                f"--connection {self.connection}: step *{pods[0]}* runs in a pod, which an Airflow "
                "connection cannot reach. Give pods their credentials by @kubernetes(secrets=…) "
                "or a service account."
            )
        alone = [step for step in self._steps() if step.pod and not step.pod.volumes]
        if alone and self.obj.metadata.TYPE == "local":
            raise BridgeError(
                f"Step *{alone[0].name}* runs in a pod, which shares no folder with others for "
                "*local* metadata. Export with --metadata=service (METAFLOW_SERVICE_URL), or mount "
                "a shared volume (persistent_volume_claims) as METAFLOW_DATASTORE_SYSROOT_LOCAL."
            )
        self._check_root(datastore)

    def _check_root(self, datastore: str) -> None:
        root = self.obj.flow_datastore.datastore_root
        if not root:
            raise BridgeError(
                f"Datastore *{datastore}* has no place: set METAFLOW_DATASTORE_SYSROOT_"
                f"{datastore.upper()} (such as s3://bucket/metaflow), or give --datastore-root."
            )
        if datastore == "s3":
            s3.check(root, "The datastore")

    def read(self) -> None:
        """Read the flow and refuse what cannot run."""
        self._graph = read_graph(self.obj.flow)
        schedule = self._graph.decorator("schedule")
        self._schedule = read_schedule(schedule.attributes) if schedule else None
        self._sensors = read_sensors(self._graph)
        self._hooks = read_hooks(self._graph)
        self._decorators, attached = read_flow.read_attached(self.obj)
        pythons = read_flow.read_pythons(self.obj)
        self._python = pythons.get(self._graph.start)
        self._blocks = build_plan(
            self._graph,
            decorators=attached,
            pod_secrets=read_flow.read_pod_secrets(),
            pythons={name: each for name, each in pythons.items() if each != self._python},
        )
        self._parameters = tuple(
            read_flow.read_parameters(self.obj.flow, scheduled=self._schedule is not None)
        )

    def token(self, authorize: str | None, given: str | None, generate: bool) -> str:
        """The production token of the deployment."""
        return naming.resolve_token(
            self.obj.airflow, self.obj, authorize=authorize, given=given, generate=generate
        )

    def deploy(self, place: Place, name: str, token: str) -> tuple[str, str]:
        """Upload the code package, then put the DAG file in place in one move.

        Returns:
            where the file stands now, and its text.
        """
        text = render(self.plan(self._deployment(token)))
        return place.put(name, text), text

    def plan(self, deployment: Deployment | None = None) -> Plan:
        """The whole plan; without a deployment it can be explained, not run."""
        return Plan(
            dag_id=self.obj.airflow.dag_id,
            flow=self.obj.flow.name,
            deployment=deployment
            or Deployment(script="", code="", code_sha="", datastore="", datastore_root=""),
            blocks=self._blocks,
            parameters=self._parameters,
            sensors=self._sensors,
            hooks=self._hooks,
            schedule=self._schedule,
            doc=self._graph.doc,
            paused=self.paused,
            max_workers=self.max_workers,
            pool=self.pool,
            pods_on=None if self.pods_on == "triggerer" else self.pods_on,
            timeout=self.timeout,
            kubernetes_conn_id=setting(KUBERNETES_CONN_ID) or None,
        )

    def _deployment(self, token: str) -> Deployment:
        from metaflow.util import get_username

        package = self._package()
        return Deployment(
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
            python=self._python,
            connection=self.connection,
        )

    def _package(self) -> Any:
        from metaflow.package import MetaflowPackage

        obj = self.obj
        with read_flow.without_client_checks(obj.flow):
            obj.package = MetaflowPackage(
                obj.flow,
                obj.environment,
                obj.echo,
                suffixes=obj.package_suffixes,
                flow_datastore=obj.flow_datastore,
            )
        return obj.package

    def _steps(self) -> Iterator[PlannedStep]:
        return self.plan().steps()

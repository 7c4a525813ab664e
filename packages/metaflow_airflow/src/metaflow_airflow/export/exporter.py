"""What `airflow create` does, step by step."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.airflow_api.settings import setting
from metaflow_airflow.compat.airflow_release import starts_in_triggerer
from metaflow_airflow.compat.metaflow_export import commit_of, config_values
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.export import naming, read_flow
from metaflow_airflow.export.bundle_place import find_place
from metaflow_airflow.export.check_configs import check_configs
from metaflow_airflow.export.check_datastore import check_datastore
from metaflow_airflow.export.check_hooks import check_hooks
from metaflow_airflow.export.code_package import CodePackage, make_package, script_path
from metaflow_airflow.export.places import DagFile, Place
from metaflow_airflow.export.provenance import with_provenance
from metaflow_airflow.export.read_parameters import read_parameters
from metaflow_airflow.export.read_triggers import read_triggers
from metaflow_airflow.graph.read_graph import read_graph
from metaflow_airflow.plan.assemble import MAX_ITERATIONS, assemble
from metaflow_airflow.plan.dag import HooksTask, Plan
from metaflow_airflow.plan.step import Deployment, Python
from metaflow_airflow.render import render

DAGS_FOLDER = "AIRFLOW_DAGS_FOLDER"
KUBERNETES_CONN_ID = "AIRFLOW_KUBERNETES_CONN_ID"


def target_of(file: str | None, dag_id: str) -> DagFile:
    """Where the DAG file goes: FILE, else <dag id>.py in the DAGs folder.

    Raises:
        BridgeError: neither is given, or FILE is the flow's own file.
    """
    if file is None:
        folder = dags_folder()
        if folder is None:
            raise BridgeError(
                f"Where should the DAG file go? Give FILE, or set METAFLOW_{DAGS_FOLDER} to the "
                "folder (or s3:// URL of the DAG bundle) that Airflow reads."
            )
        return DagFile(folder, f"{dag_id}.py")
    if not file.startswith("s3://") and Path(file).resolve() == Path(sys.argv[0]).resolve():
        raise BridgeError(f"{file} is the flow's own file. Give the DAG file another name.")
    if not file.endswith(".py"):
        raise BridgeError(f"FILE {file} must end in .py: Airflow loads no DAGs from other files.")
    folder_name, _, name = file.rpartition("/")
    return DagFile(find_place(folder_name or ("/" if file.startswith("/") else ".")), name)


def dags_folder() -> Place | None:
    """The place that Airflow reads; None where no setting says it."""
    folder = setting(DAGS_FOLDER)
    return find_place(folder) if folder else None


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
    catchup: bool = False
    triggers: bool = True
    max_iterations: int = MAX_ITERATIONS
    notify_on_error: tuple[str, ...] = ()
    notify_on_success: tuple[str, ...] = ()

    @property
    def dag_id(self) -> str:
        """The DAG's id."""
        return str(self.obj.airflow.dag_id)

    def check_pool(self, client: AirflowClient) -> None:
        """Refuse a pool that Airflow does not have: it would load the DAG and start no step.

        Raises:
            BridgeError: naming the pool.
        """
        if self.pool and not client.has_pool(self.pool):
            raise BridgeError(
                f"--worker-pool {self.pool}: Airflow at {client.url} has no such pool, and would "
                "start no step. Make it (airflow pools set NAME SLOTS DESCRIPTION), or name "
                "another one."
            )

    def suited_to(self, plan: Plan, client: AirflowClient) -> tuple[Export, str]:
        """The export as the Airflow that will run it can carry it out, and what is different.

        Returns:
            This one and no text, where nothing has to be.
        """
        if self.pods_on == "worker" or not plan.has_pods:
            return self, ""
        version = client.version()
        if starts_in_triggerer(version):
            return self, ""
        return replace(self, pods_on="worker"), (
            f"Airflow {version} at {client.url} starts no task in its triggerer (3.3 does): "
            "a worker waits for each pod, as with --pods-on worker."
        )

    def check(self) -> Plan:
        """Plan what Airflow will run, or refuse what cannot; its code is not uploaded yet.

        Raises:
            BridgeError: a datastore that workers cannot see, a step that Airflow cannot run.
            MetaflowException: tags that Metaflow does not take.
        """
        from metaflow.tagging_util import validate_tags

        validate_tags(self.tags)
        check_datastore(self.obj.flow_datastore)
        check_configs(config_values(self.obj.flow))
        plan = self.plan()
        for block in plan.blocks:
            if isinstance(block, HooksTask):
                check_hooks([*block.hooks.on_success, *block.hooks.on_error])
        return plan

    def token(self, authorize: str | None, given: str | None, generate: bool) -> str:
        """The production token of the deployment."""
        return naming.resolve_token(
            self.obj.airflow, self.obj, authorize=authorize, given=given, generate=generate
        )

    def compile(self, plan: Plan, token: str) -> tuple[str, CodePackage]:
        """Upload the code package; the text of the DAG file, and what the package is."""
        package = make_package(self.obj)
        deployment = replace(
            plan.deployment,
            code=package.url,
            code_sha=package.sha,
            code_metadata=package.metadata,
            production_token=token,
        )
        return render(replace(plan, deployment=deployment)), package

    def plan(self, *, send_files: bool = True) -> Plan:
        """What Airflow will run.

        Args:
            send_files: whether an IncludeFile's default is sent to the datastore.

        Raises:
            BridgeError: what Airflow cannot run.
        """
        graph = read_graph(self.obj.flow)
        decorators, attached = read_flow.read_attached(self.obj)
        pythons = read_flow.read_pythons(self.obj)
        plan = assemble(
            graph,
            self._deployment(decorators, pythons.get(graph.start)),
            dag_id=self.dag_id,
            parameters=tuple(
                read_parameters(
                    self.obj.flow,
                    scheduled=graph.decorator("schedule") is not None,
                    send_files=send_files,
                )
            ),
            triggers=read_triggers(self.obj.flow) if self.triggers else None,
            project=naming.read_project(),
            metaflow=version("metaflow"),
            commit=commit_of(script_path().parent),
            attached=attached,
            pythons=pythons,
            pod_secrets=read_flow.read_pod_secrets(),
            paused=self.paused,
            catchup=self.catchup,
            max_workers=self.max_workers,
            pool=self.pool,
            pods_on=self.pods_on,
            timeout=self.timeout,
            max_iterations=self.max_iterations,
            notify_on_error=self.notify_on_error,
            notify_on_success=self.notify_on_success,
            kubernetes_conn_id=setting(KUBERNETES_CONN_ID) or None,
        )
        return with_provenance(plan, script_path())

    def _deployment(self, decorators: tuple[str, ...], python: Python | None) -> Deployment:
        from metaflow.util import get_username

        return Deployment(
            script=script_path().name,
            datastore=self.obj.flow_datastore.TYPE,
            datastore_root=self.obj.flow_datastore.datastore_root,
            options=read_flow.read_options(self.obj),
            decorators=decorators,
            tags=self.tags,
            namespace=self.namespace,
            owner=get_username() or "",
            environment=read_flow.read_settings(),
            python=python,
            connection=self.connection,
        )

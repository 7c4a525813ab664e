"""A deployed flow and its triggered runs, found again without the flow's file."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from metaflow.client.core import get_metadata
from metaflow.exception import MetaflowException
from metaflow.runner.deployer import (
    DeployedFlow,
    Deployer,
    TriggeredRun,
    generate_fake_flow_file_contents,
)
from metaflow.runner.utils import get_lower_level_group, handle_timeout, temporary_fifo

from metaflow_airflow.airflow_api.client import AirflowClient, NotFoundError
from metaflow_airflow.airflow_api.deployments import Deployed, DeployedParameter, read_source
from metaflow_airflow.airflow_api.resume_conf import change_text
from metaflow_airflow.airflow_api.runs import PENDING, RUNNING, find_run, status_of
from metaflow_airflow.errors import BridgeError

_TYPES = {"integer": "int", "number": "float", "boolean": "bool", "string": "str"}


class AirflowTriggeredRun(TriggeredRun):
    """A run that was triggered on Airflow."""

    _dag_run_id: str | None = None

    @property
    def status(self) -> str | None:
        """PENDING (until the start step has registered), RUNNING, SUCCEEDED or FAILED."""
        client, dag_id = AirflowClient.from_settings(), self.deployer.name
        try:
            if self._dag_run_id is None:
                self._dag_run_id = find_run(client, dag_id, self._run_id).dag_run_id
            status = status_of(client.state(dag_id, self._dag_run_id))
        except NotFoundError:
            return None
        if status == RUNNING and self.run is None:
            return PENDING
        return status

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.status in (PENDING, RUNNING)

    def wait_for_completion(self, check_interval: int = 5, timeout: int | None = None) -> None:
        """Wait until the run has ended, however it did.

        Raises
        ------
        TimeoutError
            It has not ended within `timeout` seconds.
        """
        began = time.monotonic()
        while self.is_running:
            if timeout is not None and time.monotonic() - began > timeout:
                raise TimeoutError(f"{self.pathspec} has not ended within {timeout} s.")
            time.sleep(check_interval)

    def terminate(self, **kwargs: Any) -> bool:
        """End the run (options: authorize); whether that worked."""
        return _run_verb(self.deployer, "terminate", run_id=self._run_id, **kwargs)

    def suspend(self, **kwargs: Any) -> bool:
        """Pause the run's DAG: no further step starts (options: authorize)."""
        return _run_verb(self.deployer, "suspend", **kwargs)

    def unsuspend(self, **kwargs: Any) -> bool:
        """Unpause the run's DAG (options: authorize)."""
        return _run_verb(self.deployer, "unsuspend", **kwargs)

    @property
    def _run_id(self) -> str:
        return str(self.pathspec).split("/")[1]


class AirflowDeployedFlow(DeployedFlow):
    """A flow that Airflow has as a DAG."""

    TYPE: ClassVar[str | None] = "airflow"

    @classmethod
    def list_deployed_flows(cls, flow_name: str | None = None) -> Iterator[AirflowDeployedFlow]:
        """The deployed flows, or those of one flow class."""
        client = AirflowClient.from_settings()
        for dag in client.dags(tag="metaflow"):
            try:
                deployed = read_source(client.source(dag["dag_id"]))
            except BridgeError:
                continue  # another exporter's DAG with the same tag
            if flow_name in (None, deployed.flow):
                yield cls._of(deployed, None)

    @classmethod
    def from_deployment(cls, identifier: str, metadata: str | None = None) -> AirflowDeployedFlow:
        """The deployed flow with this DAG id, as Airflow has it.

        Raises
        ------
        MetaflowException
            Airflow has no such DAG, or it was not exported by this bridge.
        """
        try:
            client = AirflowClient.from_settings()
            return cls._of(read_source(client.source(identifier)), metadata)
        except BridgeError as error:
            raise MetaflowException(f"No deployed flow {identifier}: {error}") from error

    @classmethod
    def get_triggered_run(
        cls, identifier: str, run_id: str, metadata: str | None = None
    ) -> AirflowTriggeredRun:
        """The run of a deployed flow with Metaflow's run id."""
        deployer = cls.from_deployment(identifier, metadata).deployer
        content = {
            "metadata": deployer.metadata,
            "pathspec": f"{deployer.flow_name}/{run_id}",
            "name": run_id,
        }
        return AirflowTriggeredRun(deployer=deployer, content=json.dumps(content))

    @property
    def production_token(self) -> str | None:
        """The production token of the deployment."""
        try:
            client = AirflowClient.from_settings()
            return read_source(client.source(self.deployer.name)).production_token or None
        except NotFoundError:
            return None

    def trigger(self, **kwargs: Any) -> AirflowTriggeredRun:
        """Start a run; keyword arguments are the flow's parameters.

        Raises
        ------
        RuntimeError
            Airflow did not take it; the output of the command says why.
        """
        return self._run("trigger", **kwargs)

    def resume(
        self, origin_run_id: str | None = None, step_to_rerun: str | None = None, **kwargs: Any
    ) -> AirflowTriggeredRun:
        """Start a run that takes over the finished tasks of another one and runs the rest.

        Parameters
        ----------
        origin_run_id : str, optional
            The run to take over from; by default the newest of the deployment.
        step_to_rerun : str, optional
            A step that runs again, with all after it, though it had finished.
        **kwargs
            Parameters that get another value than in that run.

        Raises
        ------
        RuntimeError
            Airflow did not take it; the output of the command says why.
        """
        given = {"origin_run_id": origin_run_id, "step_to_rerun": step_to_rerun}
        return self._run(
            "resume",
            changes=[change_text(name, value) for name, value in kwargs.items()],
            **{name: value for name, value in given.items() if value is not None},
        )

    def _run(self, verb: str, **kwargs: Any) -> AirflowTriggeredRun:
        deployer = self.deployer
        with temporary_fifo() as (path, descriptor):
            command = _verb(deployer, verb, deployer_attribute_file=path, **kwargs)
            process = _start(deployer, command)
            content = handle_timeout(descriptor, process, deployer.file_read_timeout)
            process.sync_wait()
            if process.process.returncode == 0:
                return AirflowTriggeredRun(deployer=deployer, content=content)
        raise RuntimeError(f"{deployer.name}: {verb} did not start a run on Airflow.")

    def suspend(self, **kwargs: Any) -> bool:
        """Pause the DAG (options: authorize)."""
        return _run_verb(self.deployer, "suspend", **kwargs)

    def unsuspend(self, **kwargs: Any) -> bool:
        """Unpause the DAG (options: authorize)."""
        return _run_verb(self.deployer, "unsuspend", **kwargs)

    def delete(self, **kwargs: Any) -> bool:
        """Delete the DAG (options: file, authorize)."""
        return _run_verb(self.deployer, "delete", **kwargs)

    @classmethod
    def _of(cls, deployed: Deployed, metadata: str | None) -> AirflowDeployedFlow:
        branch = deployed.option("branch")
        options: dict[str, Any] = {"branch": branch} if branch else {}
        if deployed.option("production") is not None:
            options["production"] = True
        # project.branch.flow: the project's name stands in the DAG's id and nowhere else.
        is_project = deployed.dag_id.endswith(f".{deployed.flow}")
        project = deployed.dag_id.split(".")[0] if is_project else None
        contents = generate_fake_flow_file_contents(
            flow_name=deployed.flow,
            param_info={p.name: _parameter(p) for p in deployed.parameters},
            project_name=project,
        )
        # A folder of its own: Python imports from beside the file, and anybody may write to /tmp.
        folder = tempfile.mkdtemp(prefix="deployed-")
        path = Path(folder, "flow.py")
        path.write_text(contents)
        deployer = Deployer(
            str(path), env={"METAFLOW_USER": deployed.owner}, pylint=False, **options
        ).airflow(**({} if is_project else {"name": deployed.dag_id}))
        weakref.finalize(deployer, shutil.rmtree, folder, ignore_errors=True)
        deployer.name = deployed.dag_id
        deployer.flow_name = deployed.flow
        deployer.metadata = metadata or get_metadata()
        deployer.additional_info = {}
        return cls(deployer=deployer)


def _parameter(parameter: DeployedParameter) -> dict[str, Any]:
    types = [kind for kind in parameter.types if kind != "null"]
    return {
        "name": parameter.name,
        "python_var_name": "p_" + "".join(c if c.isalnum() else "_" for c in parameter.name),
        "type": _TYPES[types[0]] if len(types) == 1 else "JSON",
        "description": parameter.description.replace("'", "`"),
        "is_required": parameter.required,
    }


def _verb(deployer: Any, verb: str, **kwargs: Any) -> Any:
    group = get_lower_level_group(
        deployer.api, deployer.top_level_kwargs, deployer.TYPE, deployer.deployer_kwargs
    )
    return getattr(group, verb)(**kwargs)


def _start(deployer: Any, command: Any) -> Any:
    pid = deployer.spm.run_command(
        [sys.executable, *command],
        env=deployer.env_vars,
        cwd=deployer.cwd,
        show_output=deployer.show_output,
    )
    return deployer.spm.get(pid)


def _run_verb(deployer: Any, verb: str, **kwargs: Any) -> bool:
    process = _start(deployer, _verb(deployer, verb, **kwargs))
    process.sync_wait()
    return bool(process.process.returncode == 0)

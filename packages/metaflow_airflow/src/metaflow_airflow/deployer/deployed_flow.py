"""A deployed flow and its triggered runs, found again without the flow's file."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any, ClassVar

from metaflow.exception import MetaflowException
from metaflow.runner.deployer import DeployedFlow, TriggeredRun
from metaflow.runner.utils import get_lower_level_group

from metaflow_airflow.airflow_api.client import AirflowClient, NotFoundError
from metaflow_airflow.airflow_api.deployments import find_deployment, list_deployments
from metaflow_airflow.airflow_api.resume_conf import resume_conf
from metaflow_airflow.airflow_api.run_conf import run_conf
from metaflow_airflow.airflow_api.runs import PENDING, RUNNING, find_run, start_run, status_of
from metaflow_airflow.deployer.found_flow import deployer_of
from metaflow_airflow.deployer.values import as_given
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.plan.step import Trigger


class AirflowTriggeredRun(TriggeredRun):
    """A run that was triggered on Airflow."""

    _dag_run_id: str | None = None

    @property
    def status(self) -> str | None:
        """PENDING (until the start step has registered), RUNNING, SUCCEEDED or FAILED."""
        client, dag_id = _client(self.deployer), self.deployer.name
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
        for record in list_deployments(AirflowClient.from_settings()):
            if flow_name in (None, record.flow):
                yield cls(deployer=deployer_of(record))

    @classmethod
    def from_deployment(cls, identifier: str, metadata: str | None = None) -> AirflowDeployedFlow:
        """The deployed flow with this DAG id, as Airflow has it.

        Raises
        ------
        MetaflowException
            Airflow has no such DAG, or it was not exported by this bridge.
        """
        try:
            record = find_deployment(AirflowClient.from_settings(), identifier)
        except BridgeError as error:
            raise MetaflowException(f"No deployed flow {identifier}: {error}") from error
        return cls(deployer=deployer_of(record, metadata))

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """The events that start the flow, when all of them have been published.

        Each has `name`, `kind` ("event", or "run" for another flow's end) and `parameters`: by the
        parameter that it sets, the field of its payload.
        """
        return find_deployment(_client(self.deployer), self.deployer.name).triggers

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
            record = find_deployment(_client(self.deployer), self.deployer.name)
        except NotFoundError:
            return None
        return record.deployment.production_token or None

    def trigger(self, **kwargs: Any) -> AirflowTriggeredRun:
        """Start a run; keyword arguments are the flow's parameters, the others as deployed.

        A parameter of type JSON takes any value of Python's that JSON has; a text that is a JSON
        object or list counts as one, any other text is a text. An IncludeFile takes a path; its
        content is sent.

        Raises
        ------
        RuntimeError
            A value is refused, or Airflow did not take it.
        """
        client = _client(self.deployer)
        try:
            record = find_deployment(client, self.deployer.name)
            conf = run_conf(record, as_given(record, kwargs))
        except BridgeError as error:
            raise RuntimeError(f"{self.deployer.name} was not triggered: {error}") from error
        return self._start(client, "triggered", conf)

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
            A value is refused, or Airflow did not take it.
        """
        client = _client(self.deployer)
        try:
            record = find_deployment(client, self.deployer.name)
            changed = as_given(record, kwargs)
            conf = resume_conf(client, record, origin_run_id, step_to_rerun, changed)
        except BridgeError as error:
            raise RuntimeError(f"{self.deployer.name} was not resumed: {error}") from error
        return self._start(client, "resumed", conf)

    def _start(self, client: AirflowClient, what: str, conf: dict[str, Any]) -> AirflowTriggeredRun:
        deployer = self.deployer
        try:
            run = start_run(client, deployer.name, conf)
        except BridgeError as error:
            raise RuntimeError(f"{deployer.name} was not {what}: {error}") from error
        content = {
            "metadata": deployer.metadata,
            "pathspec": f"{deployer.flow_name}/{run.run_id}",
            "name": deployer.name,
        }
        return AirflowTriggeredRun(deployer=deployer, content=json.dumps(content))

    def suspend(self, **kwargs: Any) -> bool:
        """Pause the DAG (options: authorize)."""
        return _run_verb(self.deployer, "suspend", **kwargs)

    def unsuspend(self, **kwargs: Any) -> bool:
        """Unpause the DAG (options: authorize)."""
        return _run_verb(self.deployer, "unsuspend", **kwargs)

    def delete(self, **kwargs: Any) -> bool:
        """Delete the DAG (options: file, authorize)."""
        return _run_verb(self.deployer, "delete", **kwargs)


def _client(deployer: Any) -> AirflowClient:
    """Airflow where the deployer deploys: its env= and profile= count, as for `create`."""
    return AirflowClient.from_settings(deployer.env_vars)


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

"""`Deployer(flow).airflow(...)`: Metaflow's programming interface to deployments on Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from metaflow.runner.deployer_impl import DeployerImpl

if TYPE_CHECKING:
    from metaflow_airflow.deployer.deployed_flow import AirflowDeployedFlow


class AirflowDeployer(DeployerImpl):
    """Deploys a flow to Airflow.

    Parameters
    ----------
    name : str, optional
        The DAG's id; by default the flow's name.
    """

    TYPE: ClassVar[str | None] = "airflow"

    def __init__(self, deployer_kwargs: dict[str, str], **kwargs: Any) -> None:
        self._deployer_kwargs = deployer_kwargs
        super().__init__(**kwargs)

    @property
    def to_reload(self) -> list[str]:
        """Modules that hold commands with the parameters of the flow loaded last."""
        return [
            *super().to_reload,
            "metaflow_airflow.cli.trigger",
            "metaflow_airflow.cli.group",
            "metaflow_airflow.cli",
            "metaflow_extensions.metaflow_airflow.plugins.airflow_cli",
        ]

    @property
    def deployer_kwargs(self) -> dict[str, Any]:
        """What was given to `.airflow(...)`."""
        return self._deployer_kwargs

    @staticmethod
    def deployed_flow_type() -> type[AirflowDeployedFlow]:
        """The class of what `create` returns."""
        from metaflow_airflow.deployer.deployed_flow import AirflowDeployedFlow

        return AirflowDeployedFlow

    def create(self, **kwargs: Any) -> AirflowDeployedFlow:
        """Export the flow and wait until Airflow has it.

        Parameters
        ----------
        **kwargs
            The options of `airflow create`: file, authorize, generate_new_token, given_token,
            tags, paused, user_namespace, max_workers, workflow_timeout, worker_pool, wait.
        """
        from metaflow_airflow.deployer.deployed_flow import AirflowDeployedFlow

        deployed: AirflowDeployedFlow = self._create(AirflowDeployedFlow, **kwargs)
        return deployed

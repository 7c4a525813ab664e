"""`Deployer(flow).airflow(...)` as Metaflow finds it."""

from metaflow_airflow.deploy.deployer import AirflowDeployer

__all__ = ["AirflowDeployer"]

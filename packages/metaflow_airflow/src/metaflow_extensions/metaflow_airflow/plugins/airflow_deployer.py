"""`Deployer(flow).airflow(...)` as Metaflow finds it."""

from metaflow_airflow.deployer.airflow_deployer import AirflowDeployer

__all__ = ["AirflowDeployer"]

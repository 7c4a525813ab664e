"""Registers the bridge with Metaflow. Imports nothing: an error here would drop every extension."""

CLIS_DESC = [("airflow", ".airflow_cli.cli")]
STEP_DECORATORS_DESC = [("airflow_internal", ".airflow_internal.AirflowInternalDecorator")]
DEPLOYER_IMPL_PROVIDERS_DESC = [("airflow", ".airflow_deployer.AirflowDeployer")]

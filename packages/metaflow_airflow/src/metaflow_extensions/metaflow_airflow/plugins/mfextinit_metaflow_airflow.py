"""Registers the bridge with Metaflow. Imports nothing: an error here would drop every extension."""

CLIS_DESC = [("airflow", ".airflow_cli.cli")]
FLOW_DECORATORS_DESC = [
    ("airflow_asset", ".airflow_asset.AirflowAssetDecorator"),
    ("airflow_notify", ".airflow_notify.AirflowNotifyDecorator"),
]
STEP_DECORATORS_DESC = [("airflow_internal", ".airflow_internal.AirflowInternalDecorator")]
DEPLOYER_IMPL_PROVIDERS_DESC = [("airflow", ".airflow_deployer.AirflowDeployer")]

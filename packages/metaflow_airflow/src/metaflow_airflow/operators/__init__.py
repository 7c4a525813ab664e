"""The bridge's Airflow side: what an exported DAG file imports. Never imports Metaflow."""

from metaflow_airflow.operators import flow_format_1 as flow_format_1
from metaflow_airflow.operators.flow import MetaflowFlow
from metaflow_airflow.plan.step import Pod, Python

__all__ = ["MetaflowFlow", "Pod", "Python"]

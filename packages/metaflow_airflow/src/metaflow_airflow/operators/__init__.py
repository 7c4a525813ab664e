"""The bridge's Airflow side: what an exported DAG file imports. Never imports Metaflow."""

from metaflow_airflow.operators.flow import MetaflowFlow
from metaflow_airflow.plan.step import Pod, Python

__all__ = ["MetaflowFlow", "Pod", "Python"]

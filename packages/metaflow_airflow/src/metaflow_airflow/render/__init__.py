"""The plan as a Python file that Airflow parses."""

from metaflow_airflow.render.dag_file import render

__all__ = ["render"]

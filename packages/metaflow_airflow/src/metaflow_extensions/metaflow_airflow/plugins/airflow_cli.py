"""`flow.py airflow …` as Metaflow finds it; the commands live in metaflow_airflow.cli."""

from metaflow_airflow.cli import cli

__all__ = ["cli"]

"""The verbs of `flow.py airflow`. Loaded in every step too: each verb imports what it needs."""

from metaflow_airflow.cli.group import cli

__all__ = ["cli"]

"""Run Metaflow flows on Apache Airflow 3.

The package has two sides that install alone: `metaflow_airflow.operators` is what an exported DAG
file imports inside Airflow; `flow.py airflow …` (registered in `metaflow_extensions`) is what a
flow author uses. Nothing here imports Airflow or Metaflow until one of them is used.
"""

__version__ = "0.1.0"

# Metaflow puts a module that says so into every code package: a step finds the bridge there even
# where it is not installed.
METAFLOW_PACKAGE_POLICY = "include"

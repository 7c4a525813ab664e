"""Run Metaflow flows on Apache Airflow 3.

The package has two sides that install alone: `metaflow_airflow.operators` is what an exported DAG
file imports inside Airflow; `flow.py airflow …` (registered in `metaflow_extensions`) is what a
flow author uses. Nothing here imports Airflow or Metaflow until one of them is used.
"""

# Metaflow puts a module that says so into every code package: a step finds the bridge there even
# where it is not installed.
METAFLOW_PACKAGE_POLICY = "include"

_IN_A_CODE_PACKAGE = "0.0.0"


def __getattr__(name: str) -> str:
    """`__version__`, asked of what is installed; a code package brings the bridge without it."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("metaflow-airflow")
    except PackageNotFoundError:
        return _IN_A_CODE_PACKAGE

"""What Airflow will run: the graph as tasks. Free of Airflow, Metaflow and I/O.

`assemble` makes a `Plan`. Airflow imports `plan.step` alone whenever it parses a DAG, so nothing is
imported here.
"""

"""Puts a flow on Airflow: reads it, packages it, writes its DAG file."""

"""Airflow's REST API, and what deployments and runs are in it."""

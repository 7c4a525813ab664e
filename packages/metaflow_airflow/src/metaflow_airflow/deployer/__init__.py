"""Metaflow's Deployer for Airflow: deployed flows and their runs as Python objects."""

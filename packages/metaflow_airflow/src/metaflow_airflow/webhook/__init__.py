"""The address that Metaflow's own ArgoEvent publishes to, served by Airflow's API server."""

PREFIX = "/metaflow-events"

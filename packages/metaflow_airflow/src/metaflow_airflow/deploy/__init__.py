"""Where exported DAGs go and how Airflow is asked about them. Never imports Airflow itself."""

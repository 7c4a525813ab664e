"""From one try of an Airflow task to one attempt of a Metaflow task, wherever it runs. Pure."""

"""Settings of an Airflow that no test starts."""

from pathlib import Path

import pytest
from airflow_service.settings import AirflowSettings, new_secrets


@pytest.fixture
def settings(tmp_path: Path) -> AirflowSettings:
    return AirflowSettings(
        home=tmp_path / "home",
        logs=tmp_path / "home" / "logs",
        database_url="postgresql+psycopg2://airflow:secret@127.0.0.1:5432/airflow",
        host="127.0.0.1",
        port=8080,
        url="http://127.0.0.1:8080",
        log_port=8793,
        bundles={"data_engineering": Path("/dags/one"), "flows": Path("/dags/two")},
        passwords_file=tmp_path / "passwords.json",
        secrets=new_secrets(),
    )

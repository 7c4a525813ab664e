import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.sdk import Connection
from airflow_service import container
from metaflow_airflow.bundle.versioned import VersionedDagBundle

GIVEN = {
    "AIRFLOW_PUBLIC_URL": "http://127.0.0.1:8080",
    "AIRFLOW_DB_PASSWORD": "a/b",
    "AIRFLOW_FERNET_KEY": "fernet",
    "AIRFLOW_API_SECRET_KEY": "api",
    "AIRFLOW_JWT_SECRET": "jwt",
    "AIRFLOW_S3_KEY": "key",
    "AIRFLOW_S3_SECRET": "secret",
}


def test_tasks_reach_the_api_inside_and_people_outside() -> None:
    found = container.environment(GIVEN)

    assert found["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:8080"
    assert found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://api-server:8080/execution/"
    assert "airflow:a%2Fb@postgres/airflow" in found["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]


def test_each_team_has_a_bundle_in_s3_that_airflow_can_make() -> None:
    found = container.environment(GIVEN, "dag-processor")

    bundles = json.loads(found["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])

    assert [bundle["name"] for bundle in bundles] == ["data_engineering", "flows", "platform"]
    assert [path.name for path in Path(bundles.pop()["kwargs"]["path"]).glob("*.py")]
    for bundle in bundles:
        cls = VersionedDagBundle
        assert bundle["classpath"] == f"{cls.__module__}.{cls.__qualname__}"
        made = cls(name=bundle["name"], **bundle["kwargs"])
        assert made.url == f"s3://dags/{bundle['name']}"
        assert f"AIRFLOW_CONN_{bundle['kwargs']['aws_conn_id'].upper()}" in found
    connection = Connection.from_json(found["AIRFLOW_CONN_DAG_BUNDLES"], conn_id="dag_bundles")
    assert (connection.login, connection.password) == ("key", "secret")
    assert connection.extra_dejson["endpoint_url"] == "http://minio:9000"


@pytest.mark.parametrize("role", ["", "api-server", "scheduler"])
def test_a_connection_that_a_task_could_ask_for_is_not_where_tasks_ask(role: str) -> None:
    found = container.environment(GIVEN, role)

    assert not [name for name in found if name.startswith("AIRFLOW_CONN_")]


def test_a_worker_has_its_team_and_its_own_key_and_nothing_of_airflow() -> None:
    team = {
        "WORKER": "flows", "WORKER_KEY": "own", "AWS_ACCESS_KEY_ID": "run",
        "AWS_SECRET_ACCESS_KEY": "hidden", "AIRFLOW_PUBLIC_URL": GIVEN["AIRFLOW_PUBLIC_URL"],
    }  # fmt: skip

    found = container.environment(team | GIVEN, "edge")

    assert not [value for value in found.values() if value in ("fernet", "jwt", "api", "secret")]
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in found
    assert found["AIRFLOW__API_AUTH__JWT_SECRET"] == "own"
    bundles = json.loads(found["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    assert [bundle["name"] for bundle in bundles] == ["flows"]
    connection = json.loads(found["AIRFLOW_CONN_DAG_BUNDLES"])
    assert (connection["login"], connection["password"]) == ("run", "hidden")
    # Both of one kind, or Airflow refuses what a worker says.
    server = container.environment(GIVEN, "api-server")
    assert found["AIRFLOW__CORE__EXECUTOR"] == server["AIRFLOW__CORE__EXECUTOR"]


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_a_variable_that_is_not_set_is_named(name: str) -> None:
    given = {key: value for key, value in GIVEN.items() if key != name}

    done = subprocess.run(
        [sys.executable, "-m", "airflow_service.container", "triggerer"],
        env={"PATH": os.environ["PATH"]} | given, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert f"{name} is not set" in done.stderr

"""Entry point of compose's Airflow containers: a few variables become Airflow's settings.

Each process gets what it needs and no more: the servers share Airflow's keys, a team's worker has
its own key and its team's S3 user. What is the same in each of the platform's Airflows stands in
`settings`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

API_URL = "http://api-server:8080"
HOME = Path("/opt/airflow-home")
WORKER_PID = HOME / "airflow-edge-worker.pid"
"""Of a team's worker: there from when Airflow knows it."""

_S3 = "http://minio:9000"
_REGION = "us-east-1"
_EXECUTOR = "airflow_service.workers.executor.TeamExecutor"
_BUNDLE_CONNECTION = "dag_bundles"
# What cluster-init leaves: only where there is a cluster.
KUBECONFIG = Path("/run/cluster/airflow.kubeconfig")
# What the pods of flows may name there; the standard they have to pass is `restricted`.
_POD_BOUNDS = {
    "METAFLOW_AIRFLOW_POD_NAMESPACES": "flows",
    "METAFLOW_AIRFLOW_POD_SECRETS": "flows",
    "METAFLOW_AIRFLOW_POD_SERVICE_ACCOUNTS": "",
    # The steps' image writes to /tmp alone.
    "METAFLOW_AIRFLOW_POD_READ_ONLY": "true",
}
# Data engineering's code and exported flows: each team writes below its own prefix, and has a
# worker of the same name.
BUNDLES = {"data_engineering": "s3://dags/data_engineering", "flows": "s3://dags/flows"}
# What the platform itself runs there, of the image.
PLATFORM, DAGS = "platform", Path(__file__).parent / "dags"
_ALL_BUNDLES: dict[str, Path | str] = {**BUNDLES, PLATFORM: DAGS}
WORKER_KEYS = {name: f"WORKER_{name.upper()}_KEY" for name in _ALL_BUNDLES}
"""The variables with the workers' keys."""


def environment(given: Mapping[str, str], role: str = "") -> dict[str, str]:
    """Return what an Airflow process gets; KeyError for a variable that compose did not set.

    Args:
        role: the first word of its command, such as scheduler; edge is a team's worker.
    """
    if role == "edge":
        return _worker(given) | _FOR_TASKS
    found = _server(given) | _FOR_TASKS
    if role == "api-server":
        from airflow_service.workers.keys import server_environment

        return found | server_environment(HOME / "workers.json")
    # A connection in the API server's environment would be every task's that asks for it.
    if role in ("dag-processor", "triggerer"):
        found |= _bundles(given["AIRFLOW_S3_KEY"], given["AIRFLOW_S3_SECRET"])
    return found | _cluster() if role == "triggerer" else found


def _server(given: Mapping[str, str]) -> dict[str, str]:
    from airflow_service.settings import (
        WORKER_HEARTBEAT,
        AirflowSecrets,
        AirflowSettings,
        airflow_environment,
    )

    password = quote(given["AIRFLOW_DB_PASSWORD"], safe="")
    settings = AirflowSettings(
        home=HOME,
        logs=HOME / "logs",
        database_url=f"postgresql+psycopg2://airflow:{password}@postgres/airflow",
        host="0.0.0.0",  # noqa: S104 - the container's; compose publishes it on one address
        port=8080,
        url=given["AIRFLOW_PUBLIC_URL"],
        api_url=API_URL,
        log_port=8793,
        bundles=_ALL_BUNDLES,
        bundle_connection=_BUNDLE_CONNECTION,
        passwords_file=HOME / "passwords.json",
        secrets=AirflowSecrets(
            fernet_key=given["AIRFLOW_FERNET_KEY"],
            api_secret_key=given["AIRFLOW_API_SECRET_KEY"],
            jwt_secret=given["AIRFLOW_JWT_SECRET"],
        ),
        admin=given.get("AIRFLOW_ADMIN", "admin"),
        executor=_EXECUTOR,
        # Of both teams together: how many run is for their workers to say.
        parallelism=64,
    )
    return airflow_environment(settings) | {
        "AIRFLOW__EDGE__HEARTBEAT_INTERVAL": str(WORKER_HEARTBEAT)
    }


def _worker(given: Mapping[str, str]) -> dict[str, str]:
    from airflow_service.settings import WorkerSettings, worker_environment
    from airflow_service.workers import keys

    team = given["WORKER"]
    # What cleans Airflow up works on its tables; the teams' workers know nothing of them.
    known = _server(given) if team == PLATFORM else {}
    settings = WorkerSettings(
        home=HOME,
        logs=HOME / "logs",
        url=given["AIRFLOW_PUBLIC_URL"],
        api_url=API_URL,
        bundles={team: _ALL_BUNDLES[team]},
        bundle_connection=_BUNDLE_CONNECTION,
        executor=_EXECUTOR,
    )
    found = (
        known | worker_environment(settings) | keys.worker_environment(team, given["WORKER_KEY"])
    )
    if team == PLATFORM:
        return found
    return found | _bundles(given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"])


def _bundles(key: str, secret: str) -> dict[str, str]:
    connection = {
        "conn_type": "aws",
        "login": key,
        "password": secret,
        "extra": {"endpoint_url": _S3, "region_name": _REGION},
    }
    return {f"AIRFLOW_CONN_{_BUNDLE_CONNECTION.upper()}": json.dumps(connection)}


_FOR_TASKS = {
    "METAFLOW_AIRFLOW_PYTHON": "/opt/flows/bin/python",
    "METAFLOW_DEFAULT_DATASTORE": "s3",
    "METAFLOW_DATASTORE_SYSROOT_S3": "s3://metaflow/metaflow",
    "METAFLOW_DEFAULT_METADATA": "service",
    # Metaflow starts 64 processes to fetch a join's inputs unless told otherwise.
    "METAFLOW_S3_WORKER_COUNT": "4",
    "METAFLOW_HOME": "/tmp/metaflow",  # noqa: S108 - the container's own
    "METAFLOW_USER": "platform",
    "AWS_DEFAULT_REGION": _REGION,
    "AWS_ALLOW_HTTP": "true",
    "AWS_EC2_METADATA_DISABLED": "true",
    "TRIP_DATA_ROOT": "s3://trip-data",
}


def _cluster() -> dict[str, str]:
    """Return the connection to the cluster that cluster-init prepared, where there is one."""
    if not KUBECONFIG.exists():
        return {}
    extra = {"kube_config": KUBECONFIG.read_text(), "namespace": "flows"}
    connection = {"conn_type": "kubernetes", "extra": extra}
    return {"AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps(connection), **_POD_BOUNDS}


def _write(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)


def main() -> None:
    """Become `airflow ARGUMENTS`, or what cleans up (`clean`)."""
    os.umask(0o077)
    given = os.environ
    role = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        settings = environment(given, role)
        if role == "api-server":
            from airflow_service.workers.keys import key_set

            _write(
                HOME / "workers.json",
                key_set({name: given.pop(variable) for name, variable in WORKER_KEYS.items()}),
            )
    except KeyError as error:
        sys.exit(f"{error.args[0]} is not set: start this image through compose.yaml")
    if password := given.pop("AIRFLOW_ADMIN_PASSWORD", None):
        logins = {given.get("AIRFLOW_ADMIN", "admin"): password}
        _write(HOME / "passwords.json", json.dumps(logins))
    if role == "edge":
        # Of a container that was killed: its number may be somebody else's now.
        WORKER_PID.unlink(missing_ok=True)
    given.update(settings)
    if role == "db" and "," in given["AIRFLOW_FERNET_KEY"]:
        # A rotation: what the key before encrypted is encrypted with the new one.
        subprocess.run(["airflow", *sys.argv[1:]], check=True)
        os.execvp("airflow", ["airflow", "rotate-fernet-key"])  # noqa: S606
    if role == "clean":
        os.execv(sys.executable, [sys.executable, "-m", "airflow_service.clean", *sys.argv[2:]])  # noqa: S606
    os.execvp("airflow", ["airflow", *sys.argv[1:]])  # noqa: S606


if __name__ == "__main__":
    main()

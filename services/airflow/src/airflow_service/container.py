"""Entry point of compose's Airflow containers: a few variables become Airflow's settings.

Everything that is the same in each of the platform's Airflows stands in `settings`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

API_URL = "http://api-server:8080"
HOME = Path("/opt/airflow-home")
_S3 = "http://minio:9000"
_REGION = "us-east-1"
# What cluster-init leaves: only where there is a cluster.
KUBECONFIG = Path("/run/cluster/airflow.kubeconfig")
# Data engineering's code and exported flows: each team writes below its own prefix.
BUNDLES = {"data_engineering": "s3://dags/data_engineering", "flows": "s3://dags/flows"}
# What the platform itself runs there, of the image.
DAGS = Path(__file__).parent / "dags"


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return what an Airflow process gets; KeyError for a variable that compose did not set."""
    from airflow_service.settings import AirflowSecrets, AirflowSettings, airflow_environment

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
        bundles={**BUNDLES, "platform": DAGS},
        bundle_connection="dag_bundles",
        passwords_file=HOME / "passwords.json",
        secrets=AirflowSecrets(
            fernet_key=given["AIRFLOW_FERNET_KEY"],
            api_secret_key=given["AIRFLOW_API_SECRET_KEY"],
            jwt_secret=given["AIRFLOW_JWT_SECRET"],
        ),
        admin=given.get("AIRFLOW_ADMIN", "admin"),
    )
    bundles = {
        "conn_type": "aws",
        "login": given["AIRFLOW_S3_KEY"],
        "password": given["AIRFLOW_S3_SECRET"],
        "extra": {"endpoint_url": _S3, "region_name": _REGION},
    }
    return (
        airflow_environment(settings)
        | {
            "AIRFLOW_CONN_DAG_BUNDLES": json.dumps(bundles),
            "METAFLOW_AIRFLOW_PYTHON": "/opt/flows/flow-python",
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
        | _cluster()
    )


def _cluster() -> dict[str, str]:
    """Return the connection to the cluster that cluster-init prepared, where there is one."""
    if not KUBECONFIG.exists():
        return {}
    extra = {"kube_config": KUBECONFIG.read_text(), "namespace": "flows"}
    connection = {"conn_type": "kubernetes", "extra": extra}
    return {"AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps(connection)}


def main() -> None:
    """Become `airflow ARGUMENTS`, or what cleans up (`clean`)."""
    given = os.environ
    if password := given.pop("AIRFLOW_ADMIN_PASSWORD", None):
        passwords = HOME / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({given.get("AIRFLOW_ADMIN", "admin"): password}))
    try:
        settings = environment(given)
    except KeyError as error:
        sys.exit(f"{error.args[0]} is not set: start this image through compose.yaml")
    os.environ.update(settings)
    if sys.argv[1:2] == ["clean"]:
        os.execv(sys.executable, [sys.executable, "-m", "airflow_service.clean", *sys.argv[2:]])  # noqa: S606
    os.execvp("airflow", ["airflow", *sys.argv[1:]])  # noqa: S606


if __name__ == "__main__":
    main()

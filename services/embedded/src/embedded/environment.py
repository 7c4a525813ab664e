"""The environment of the stack's processes, of flow commands and of flow steps."""

from __future__ import annotations

import getpass
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

from airflow_service.settings import AirflowSecrets, AirflowSettings, airflow_environment

from embedded import caller, processes
from embedded.errors import StackError
from embedded.ports import HOST
from embedded.state import Json, State

REGION = "us-east-1"
STEP_UMASK = "METAFLOW_AIRFLOW_UMASK"
"""The umask of flow steps, by the bridge's name for it: that of whoever started the supervisor."""


def base_environment(state: State, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what of the caller's environment does not bend the stack (`caller.environment`).

    Where the home directory cannot be written to, the caches of tools go to the state directory.
    """
    env, _ = caller.environment(inherited)
    if umask := inherited.get(STEP_UMASK):
        env[STEP_UMASK] = umask
    if uv := env.get("UV"):
        # Steps with --environment=uv call it; the checkout's own is in no PATH.
        env["PATH"] = os.pathsep.join(filter(None, (env.get("PATH"), str(Path(uv).parent))))
    if not os.access(Path(env.get("HOME", "/nonexistent")), os.W_OK):
        env["HOME"] = str(state.root)
    return env


def stack_environment(state: State, ports: Mapping[str, int], credentials: Json) -> dict[str, str]:
    """Return what flow steps and Airflow's processes get: S3, Metaflow, where things are."""
    endpoint = f"http://{HOST}:{ports['s3']}"
    return {
        "AWS_ACCESS_KEY_ID": credentials["s3"]["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": credentials["s3"]["secret_access_key"],
        "AWS_DEFAULT_REGION": REGION,
        # What ~/.aws says of somebody's cloud is not for this server.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        # Without it boto3 asks the cloud's metadata address for credentials it already has.
        "AWS_EC2_METADATA_DISABLED": "true",
        "METAFLOW_S3_ENDPOINT_URL": endpoint,
        "METAFLOW_DEFAULT_DATASTORE": "s3",
        "METAFLOW_DATASTORE_SYSROOT_S3": "s3://metaflow/metaflow",
        # Metaflow starts 64 processes to fetch a join's inputs unless told otherwise.
        "METAFLOW_S3_WORKER_COUNT": "4",
        "METAFLOW_DEFAULT_METADATA": "local",
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(state.folder("metaflow")),
        "METAFLOW_HOME": str(state.folder("metaflow-home")),
        # Its default is one folder in /tmp, which belongs to whoever on this machine came first.
        "METAFLOW_CLIENT_CACHE_PATH": str(state.folder("tmp") / "metaflow-client"),
        "METAFLOW_USER": metaflow_user(),
        "METAFLOW_AIRFLOW_DAGS_FOLDER": str(state.folder("dags")),
        "METAFLOW_AIRFLOW_PYTHON": str(state.flows_python),
        # Not the temporary directory that all stacks of a user share.
        "METAFLOW_AIRFLOW_TMPDIR": str(state.folder("tmp")),
        "METAFLOW_AIRFLOW_REST_API_URL": f"http://{HOST}:{ports['airflow']}",
        # Metaflow's own ArgoEvent publishes there, by this login.
        "METAFLOW_ARGO_EVENTS_WEBHOOK_URL": f"http://{HOST}:{ports['airflow']}/metaflow-events/publish",
        "METAFLOW_ARGO_EVENTS_WEBHOOK_AUTH": "service",
        "METAFLOW_SERVICE_AUTH_KEY": "{username}:{password}".format_map(credentials["publisher"]),
        "METAFLOW_AIRFLOW_REST_API_USERNAME": credentials["publisher"]["username"],
        "METAFLOW_AIRFLOW_REST_API_PASSWORD": credentials["publisher"]["password"],
        "TRIP_DATA_ROOT": "s3://trip-data",
        # Whoever may trigger a run here is the user whose files these are.
        "TRIP_DATA_SOURCES": "*",
    }


def deployer_environment(
    state: State, ports: Mapping[str, int], credentials: Json
) -> dict[str, str]:
    """Return what flow commands get: as steps, and the login of Airflow's API."""
    return stack_environment(state, ports, credentials) | {
        "METAFLOW_AIRFLOW_REST_API_USERNAME": credentials["airflow"]["username"],
        "METAFLOW_AIRFLOW_REST_API_PASSWORD": credentials["airflow"]["password"],
    }


def server_environment(
    state: State, ports: Mapping[str, int], credentials: Json, database_url: str
) -> dict[str, str]:
    """Return the environment of Airflow's processes."""
    home = state.folder("airflow")
    return stack_environment(state, ports, credentials) | airflow_environment(
        AirflowSettings(
            home=home,
            logs=home / "logs",
            database_url=database_url,
            host=HOST,
            port=ports["airflow"],
            url=f"http://{HOST}:{ports['airflow']}",
            log_port=ports["airflow_log"],
            bundles={
                "data_engineering": data_engineering_dags(),
                "flows": str(state.folder("dags")),
            },
            passwords_file=home / "passwords.json",
            secrets_folder=state.folder("secrets"),
            secrets=AirflowSecrets(**credentials["airflow_secrets"]),
            admin=credentials["airflow"]["username"],
            publisher=credentials["publisher"]["username"],
            # The supervisor writes off a dead scheduler itself (`prepare_database`): a silent one
            # only has a busy machine.
            scheduler_silence=600,
        )
    )


def data_engineering_dags() -> Path:
    """Return the folder of the data engineering team's DAG files, as installed here."""
    spec = importlib.util.find_spec("data_engineering")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("the package data-engineering is not installed beside embedded")
    return Path(spec.submodule_search_locations[0]) / "dags"


def process_environment(state: State) -> dict[str, str]:
    """Return what every process of the stack carries besides, and flow commands do not."""
    return {
        processes.MARK: str(state.root),
        "PYTHONUNBUFFERED": "1",
        # setproctitle would write over the mark.
        "SPT_NOENV": "1",
    }


def metaflow_user() -> str:
    """Return who runs flows here, as a name that Metaflow takes."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in many containers
        return f"uid-{os.getuid()}"
    # Metaflow takes no flow of root's.
    return "platform" if user == "root" else user

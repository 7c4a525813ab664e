"""The environment that makes the platform's Airflow: every AIRFLOW__* variable in one place.

Pure: nothing here reads a file, a clock or the environment, but `new_secrets`, which draws them.
The embedded stack and the compose file both start Airflow with what `airflow_environment` returns.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_LOCAL_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"
# A run keeps the version of the DAG files that it began with.
_VERSIONED_BUNDLE = "metaflow_airflow.bundle.versioned.VersionedDagBundle"
_SECRETS_FILES = "airflow.secrets.local_filesystem.LocalFilesystemBackend"
_SIMPLE_AUTH = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"


@dataclass(frozen=True, kw_only=True)
class AirflowSecrets:
    """The keys that Airflow signs and encrypts with; the same for all its processes."""

    fernet_key: str
    api_secret_key: str
    jwt_secret: str


@dataclass(frozen=True, kw_only=True)
class AirflowSettings:
    """What differs from one Airflow of the platform to the next.

    `url` is where browsers reach the API server, `api_url` where workers do if not there too;
    `log_port` a port that no log server listens on: all processes share `logs`, so log servers
    (which bind to every interface and cannot be told otherwise) are not started. `bundles` are
    by name a Path (a plain folder), or the text of a versioned bundle's place: a folder, or an
    s3:// prefix, which is read with the connection `bundle_connection`.
    `publisher` is a user who may publish events, besides the administrator.
    `scheduler_silence` is how many seconds without a heartbeat mean that a scheduler is dead, and
    its tasks start anew. A scheduler judges itself by it too: on a machine so busy that its own
    heartbeat was 16 s late, 15 s made it restart its running tasks over and over.
    `secrets_folder` holds connections.json and variables.json of teams, which Airflow reads anew
    whenever a task asks; None where secrets come from elsewhere.
    """

    home: Path
    logs: Path
    database_url: str
    host: str
    port: int
    url: str
    log_port: int
    bundles: Mapping[str, Path | str]
    passwords_file: Path
    secrets: AirflowSecrets
    api_url: str | None = None
    bundle_connection: str = "aws_default"
    secrets_folder: Path | None = None
    admin: str = "admin"
    publisher: str | None = None
    executor: str = "LocalExecutor"
    parallelism: int = 4
    triggerer_capacity: int = 200
    scheduler_silence: int = 60
    # Airflow asks DNS for the machine's full name unless told otherwise, and shows it in logs.
    hostname_callable: str = "airflow_service.hostname.localhost"


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """What a worker that is apart from Airflow has to know: addresses, and one team's bundle.

    `concurrency` is how many tasks it runs at once; the others are as in AirflowSettings.
    """

    home: Path
    logs: Path
    url: str
    api_url: str
    bundles: Mapping[str, Path | str]
    bundle_connection: str
    executor: str
    concurrency: int = 4
    hostname_callable: str = "airflow_service.hostname.localhost"


def new_secrets() -> AirflowSecrets:
    """Draw fresh keys: a Fernet key (32 bytes, base64), and two random strings of 64 bytes."""
    return AirflowSecrets(
        fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        api_secret_key=secrets.token_hex(64),
        jwt_secret=secrets.token_hex(64),
    )


def dag_bundle_list(bundles: Mapping[str, Path | str], connection: str = "aws_default") -> str:
    """Return the JSON of `dag_bundle_config_list`: see AirflowSettings.bundles."""
    return json.dumps(
        [{"name": name} | _bundle(place, connection) for name, place in bundles.items()]
    )


def _bundle(place: Path | str, connection: str) -> dict[str, object]:
    if isinstance(place, Path):
        return {"classpath": _LOCAL_BUNDLE, "kwargs": {"path": str(place)}}
    arguments = {"url": place}
    if place.startswith("s3://"):
        arguments["aws_conn_id"] = connection
    return {"classpath": _VERSIONED_BUNDLE, "kwargs": arguments}


def airflow_environment(settings: AirflowSettings) -> dict[str, str]:
    """Return AIRFLOW_HOME and the AIRFLOW__SECTION__OPTION variables for these settings."""
    sections: dict[str, dict[str, object]] = {
        "core": _core(settings),
        "database": {"sql_alchemy_conn": settings.database_url},
        "logging": _logging(settings),
        "api": {
            "host": settings.host,
            "port": settings.port,
            "base_url": settings.url,
            "workers": 1,
            "secret_key": settings.secrets.api_secret_key,
            "expose_config": False,
        },
        "api_auth": {"jwt_secret": settings.secrets.jwt_secret},
        # A running task's token is renewed by its heartbeats in the last fifth of its life. At the
        # default of 600 s, one that came back from a pause of two minutes may find it expired.
        "execution_api": {"jwt_expiration_time": _DAY},
        "scheduler": _SCHEDULER | {"scheduler_health_check_threshold": settings.scheduler_silence},
        "workers": _WORKERS,
        "dag_processor": {
            **_DAG_PROCESSOR,
            # By default a folder in /tmp, which all Airflows of a machine share.
            "dag_bundle_storage_path": settings.home / "dag_bundles",
            "dag_bundle_config_list": dag_bundle_list(settings.bundles, settings.bundle_connection),
        },
        "triggerer": {"capacity": settings.triggerer_capacity},
        "secrets": _secrets_backend(settings.secrets_folder),
    }
    return _variables(settings.home, sections)


def worker_environment(settings: WorkerSettings) -> dict[str, str]:
    """Return the variables of a worker that reaches Airflow by HTTP alone: none of its keys."""
    sections: dict[str, dict[str, object]] = {
        "core": _task_core(settings),
        "logging": {"base_log_folder": settings.logs, "colored_console_log": False},
        "api": {"base_url": settings.url},
        "workers": _WORKERS,
        "dag_processor": {
            "dag_bundle_storage_path": settings.home / "dag_bundles",
            "dag_bundle_config_list": dag_bundle_list(settings.bundles, settings.bundle_connection),
        },
        "edge": {
            "api_url": f"{settings.api_url}/edge_worker/v1/rpcapi",
            # Seconds between two looks for a task.
            "job_poll_interval": 1,
            "heartbeat_interval": WORKER_HEARTBEAT,
            "worker_concurrency": settings.concurrency,
        },
    }
    return _variables(settings.home, sections)


def _variables(home: Path, sections: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    return {"AIRFLOW_HOME": str(home)} | {
        f"AIRFLOW__{section.upper()}__{option.upper()}": str(value)
        for section, options in sections.items()
        for option, value in options.items()
    }


def _secrets_backend(folder: Path | None) -> dict[str, object]:
    if folder is None:
        return {}
    files = {
        "connections_file_path": str(folder / "connections.json"),
        "variables_file_path": str(folder / "variables.json"),
    }
    return {"backend": _SECRETS_FILES, "backend_kwargs": json.dumps(files)}


def _core(settings: AirflowSettings) -> dict[str, object]:
    return {
        **_task_core(settings),
        "parallelism": settings.parallelism,
        "fernet_key": settings.secrets.fernet_key,
        "auth_manager": _SIMPLE_AUTH,
        "simple_auth_manager_users": _users(settings),
        "simple_auth_manager_passwords_file": settings.passwords_file,
        # Each event that a flow waits for starts a run of it; Airflow's own manager merges them.
        "asset_manager_class": "metaflow_airflow.operators.event_queue.EventQueue",
        # A changed DAG file shows at once; the default holds it back for 30 s.
        "min_serialized_dag_update_interval": 1,
    }


def _task_core(settings: AirflowSettings | WorkerSettings) -> dict[str, object]:
    """Return what a process that runs tasks has to know as well."""
    return {
        "executor": settings.executor,
        "load_examples": False,
        "plugins_folder": settings.home / "plugins",
        "execution_api_server_url": f"{settings.api_url or settings.url}/execution/",
        "hostname_callable": settings.hostname_callable,
        "dagbag_import_timeout": 60,
        # How many items a foreach may have: 1024 unless set.
        "max_map_length": 10_000,
    }


def _users(settings: AirflowSettings) -> str:
    # `op` is the least of SimpleAuthManager's roles that may publish events of assets.
    publisher = f",{settings.publisher}:op" if settings.publisher else ""
    return f"{settings.admin}:admin{publisher}"


def _logging(settings: AirflowSettings) -> dict[str, object]:
    return {
        "base_log_folder": settings.logs,
        "dag_processor_child_process_log_directory": settings.logs / "dag_processor",
        "colored_console_log": False,
        "worker_log_server_port": settings.log_port,
        "trigger_log_server_port": settings.log_port,
    }


WORKER_HEARTBEAT = 5
"""Seconds. A worker that was killed may come back after five of them: its name is taken so long."""

_AWAY = 15 * 60
_DAY = 24 * 3600

_SCHEDULER: dict[str, object] = {
    # Saves 0.25 s a task over the default of 1 s. At 0.25 s an idle scheduler and its database
    # cost a fifth of a core all day.
    "scheduler_idle_sleep_time": 0.5,
    # Listens on every interface; /api/v2/monitor/health tells the same.
    "enable_health_check": False,
    # How soon the tasks of a scheduler that is known to be dead are taken over.
    "orphaned_tasks_check_interval": 15,
    # How long the API server or the database may be away before a task counts as dead: at 60 s, a
    # pause of theirs failed healthy steps. Where a worker dies, the embedded stack says so at once.
    "task_instance_heartbeat_timeout": _AWAY,
    # A task gets a token of this life when it is queued, and a foreach is queued as a whole: at the
    # default of 600 s, those whose turn came later failed with a token that had expired.
    "task_queued_timeout": _DAY,
}

_WORKERS: dict[str, object] = {
    # A worker lingers for one interval after its task deferred: 5 s unless set.
    "min_heartbeat_interval": 1,
    # With a heartbeat a second at most, none of them is counted out within that time either.
    "max_failed_heartbeats": _AWAY,
    # A request waits 1 to 10 s between tries, so for 6 to 8 minutes in all: what a task ends with
    # must arrive. By default it is given up after half a minute.
    "execution_api_retries": 80,
    "execution_api_retry_wait_max": 10,
    # A request that is repeated while the first one still waits for the database arrives twice.
    "execution_api_timeout": 60,
}

_DAG_PROCESSOR: dict[str, object] = {
    # How soon a new file is seen (300 s unless set): two small folders are listed.
    "refresh_interval": 5,
    "bundle_refresh_check_interval": 1,
    # A changed file is parsed when its time changes. The unchanged ones give the same DAG again:
    # at 30 s (the default), two hundred of them would keep a core busy all day.
    "min_file_process_interval": 300,
    "parsing_processes": 2,
    "dag_file_processor_timeout": 90,
    "print_stats_interval": 300,
}

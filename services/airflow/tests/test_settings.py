import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from airflow_service.settings import (
    AirflowSettings,
    airflow_environment,
    dag_bundle_list,
    new_secrets,
)
from cryptography.fernet import Fernet
from tenacity import RetryCallState, Retrying, wait_random_exponential

ASK_AIRFLOW = """
import json, sys
from airflow.configuration import conf
names = json.load(sys.stdin)
known = conf.configuration_description
print(json.dumps({
    "unknown": [n for n in names if n.split(".")[1] not in known[n.split(".")[0]]["options"]],
    "values": {n: conf.get(*n.split(".")) for n in names},
    "host": conf.getimport("core", "hostname_callable")(),
}))
"""


def test_airflow_itself_knows_every_option_and_reads_the_value_given(
    settings: AirflowSettings,
) -> None:
    environment = airflow_environment(settings)
    names = [
        ".".join(name.removeprefix("AIRFLOW__").lower().split("__"))
        for name in environment
        if name.startswith("AIRFLOW__")
    ]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW__")}

    answer = subprocess.run(
        [sys.executable, "-c", ASK_AIRFLOW],
        input=json.dumps(names),
        env=clean | environment,
        capture_output=True,
        text=True,
        check=True,
    )

    told = json.loads(answer.stdout.splitlines()[-1])
    assert told["unknown"] == []
    assert told["host"] == "localhost"
    for name in names:
        section, option = name.upper().split(".")
        assert told["values"][name] == environment[f"AIRFLOW__{section}__{option}"]


def test_a_scheduler_takes_itself_for_dead_only_after_the_silence_that_is_given(
    settings: AirflowSettings,
) -> None:
    option = "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD"

    assert airflow_environment(settings)[option] == "60"
    patient = airflow_environment(replace(settings, scheduler_silence=600))
    assert patient[option] == "600"


def test_airflow_takes_secrets_from_files_that_somebody_changes(
    settings: AirflowSettings, tmp_path: Path
) -> None:
    """Airflow's own code looks them up, in the API server's order: the files before its tables."""
    program = (
        "import json, pathlib, sys\n"
        "from airflow.models import Connection, Variable\n"
        "from airflow.configuration import conf\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "for secret in ('one', 'two'):\n"
        "    made = {'model_store': {'conn_type': 'aws', 'login': 'key', 'password': secret}}\n"
        "    (folder / 'connections.json').write_text(json.dumps(made))\n"
        "    (folder / 'variables.json').write_text(json.dumps({'api_token': secret}))\n"
        "    found = Connection.get_connection_from_secrets('model_store')\n"
        "    print('found', found.password, Variable.get_variable_from_secrets('api_token'))\n"
    )
    environment = airflow_environment(replace(settings, secrets_folder=tmp_path))
    clean = {k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW__")}

    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path],
        env=clean | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    found = [line for line in done.stdout.splitlines() if line.startswith("found ")]
    assert found == ["found one one", "found two two"], done.stderr[-2000:]
    assert not [name for name in airflow_environment(settings) if "__SECRETS__" in name]


def test_a_queued_task_has_a_token_for_a_day(settings: AirflowSettings) -> None:
    """Airflow's own code makes one, with these settings, as when it queues a task."""
    program = (
        "import sys\n"
        "from airflow.api_fastapi.auth.tokens import JWTGenerator\n"
        "from airflow.executors.workloads.base import BaseWorkloadSchema\n"
        "import jwt\n"
        "made = JWTGenerator(secret_key=sys.argv[1], valid_for=60, audience='x')\n"
        "token = BaseWorkloadSchema.generate_token('task', made)\n"
        "told = jwt.decode(token, options={'verify_signature': False})\n"
        "print(told['exp'] - told['iat'])\n"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    answer = subprocess.run(
        [sys.executable, "-c", program, settings.secrets.jwt_secret],
        env=clean | airflow_environment(settings),
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.splitlines()[-1] == "86400"


def test_five_minutes_without_the_api_server_or_the_database_fail_no_task(
    settings: AirflowSettings,
) -> None:
    """Computed as Airflow's own client waits: none of its tries is given up before that."""
    made = airflow_environment(settings)
    tries = int(made["AIRFLOW__WORKERS__EXECUTION_API_RETRIES"])
    longest = float(made["AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX"])
    wait = wait_random_exponential(min=1, max=longest)
    attempt = RetryCallState(Retrying(), None, (), {})
    waited = 0.0
    for attempt.attempt_number in range(1, tries):
        waited += wait(attempt)

    assert waited > 300
    assert int(made["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"]) > 300 + longest
    heartbeat = int(made["AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL"])
    assert int(made["AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS"]) * heartbeat > 300
    # A token is renewed in the last fifth of its life.
    assert int(made["AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME"]) / 5 > 300


def test_bundles_are_local_folders_by_name(settings: AirflowSettings) -> None:
    bundles = json.loads(dag_bundle_list(settings.bundles))

    assert [(b["name"], b["kwargs"]["path"]) for b in bundles] == [
        ("data_engineering", "/dags/one"),
        ("flows", "/dags/two"),
    ]


def test_secrets_are_drawn_anew_and_the_fernet_key_works() -> None:
    first, second = new_secrets(), new_secrets()

    assert len({first.fernet_key, second.fernet_key, first.jwt_secret, second.jwt_secret}) == 4
    box = Fernet(first.fernet_key)
    assert box.decrypt(box.encrypt(b"trip")) == b"trip"

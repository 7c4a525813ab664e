"""A whole stack with a real Airflow."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from embedded import flows_env, processes
from embedded.environment import base_environment
from embedded.servers import postgres
from embedded.stack import Stack
from embedded.state import State
from listening import listening
from metaflow_airflow.airflow_api.client import AirflowClient, AirflowError, NotFoundError
from waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

SERVERS = {
    "api-server", "scheduler", "dag-processor", "triggerer", "airflow-parent", "s3", "postgres"
}  # fmt: skip


def command(verb: str, state: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "pipeline", verb, "--state", str(state), *more]


# Settings of other programs, each of which has broken somebody's local servers.
HOSTILE = {
    "ALL_PROXY": "socks://127.0.0.1:9/", "HTTPS_PROXY": "socks5://127.0.0.1:9/",
    "http_proxy": "http://127.0.0.1:9", "NO_PROXY": "[::1],fd00::/8", "no_proxy": "",
    "PGSSLMODE": "require", "PGHOSTADDR": "10.255.255.1", "PGOPTIONS": "-csearch_path=other",
    "PGSERVICE": "elsewhere", "PGCLIENTENCODING": "LATIN1", "PGTZ": "America/New_York",
    "SSL_CERT_FILE": "/gone/cacert.pem", "REQUESTS_CA_BUNDLE": "/gone/too.pem",
    "PYTHONIOENCODING": "ascii", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "0",
    "UV_PROJECT_ENVIRONMENT": "/gone", "UV_LOCKED": "1", "UV_SYSTEM_PYTHON": "1",
    "GIT_DIR": "/gone", "GIT_CONFIG_COUNT": "7", "LC_ALL": "de_DE.ISO-8859-1",
    "AIRFLOW__CORE__EXECUTOR": "NoSuchExecutor", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "none://",
    "AWS_PROFILE": "gone", "METAFLOW_DATASTORE_SYSROOT_S3": "s3://elsewhere/metaflow",
}  # fmt: skip


def run(*words: str, umask: int = -1, more: Mapping[str, str] | None = None) -> tuple[int, str]:
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        timeout=600, env={**os.environ, "COLUMNS": "200", **(more or {})}, errors="replace",
        umask=umask,
    )  # fmt: skip
    return done.returncode, done.stdout


def pids(stack: Stack) -> dict[str, int]:
    return {name: info["pid"] for name, info in stack.status()["servers"].items()}


def knows(stack: Stack, dag_id: str) -> bool:
    """Whether Airflow has a DAG; it takes the stack's login."""
    try:
        AirflowClient(stack.airflow_url, *stack.airflow_login).dag(dag_id)
    except NotFoundError:
        return False
    return True


def test_a_second_up_changes_nothing(stack: Stack) -> None:
    before = pids(stack)

    code, text = run(*command("up", stack.state.root))

    assert code == 0, text
    assert "is up already: nothing to do" in text
    assert stack.airflow_url in text
    assert pids(stack) == before


def test_a_port_is_not_changed_while_the_stack_is_up(stack: Stack) -> None:
    port = stack.state.read()["ports"]["airflow"]

    code, text = run(*command("up", stack.state.root, "--port", f"airflow={port + 1}"))

    assert code == 1
    assert f"is up with airflow on port {port}: `stack down` first" in text
    assert run(*command("up", stack.state.root, "--port", f"airflow={port}"))[0] == 0


def test_the_status_shows_servers_and_addresses(stack: Stack) -> None:
    code, text = run(*command("status", stack.state.root, "--json"))

    found = json.loads(text)
    assert code == 0
    assert {name: info["state"] for name, info in found["servers"].items()} == dict.fromkeys(
        SERVERS, "ready"
    )
    assert found["airflow"]["url"] == stack.airflow_url
    assert found["airflow"]["username"] == stack.airflow_login[0]


def test_the_password_is_shown_by_one_command_alone(stack: Stack) -> None:
    user, password = stack.airflow_login

    assert run(*command("login", stack.state.root)) == (
        0, f"{stack.airflow_url}\n{user}\n{password}\n"
    )  # fmt: skip
    for verb, *more in (["up"], ["status"], ["status", "--json"]):
        assert password not in run(*command(verb, stack.state.root, *more))[1]


def test_nothing_listens_beyond_this_machine(stack: Stack) -> None:
    addresses = listening(process.pid for process in processes.marked(stack.state.root))

    assert addresses == {"127.0.0.1"}


def test_airflow_takes_the_login_and_no_other(stack: Stack) -> None:
    assert not knows(stack, "no_such_dag")
    for password in ("admin", "guess"):
        wrong = AirflowClient(stack.airflow_url, stack.airflow_login[0], password)
        with pytest.raises(AirflowError, match=r"refused the login of user 'admin' \(401"):
            wrong.dag("no_such_dag")
    answer = httpx.get(f"{stack.airflow_url}/api/v2/dags", trust_env=False)
    assert answer.status_code == httpx.codes.UNAUTHORIZED


def test_a_command_runs_with_the_stacks_environment_and_the_flows_python(stack: Stack) -> None:
    show = "import json, os, sys; print(json.dumps([sys.prefix, dict(os.environ)]))"

    def there(*words: str, **options: Any) -> tuple[int, str]:
        return run(*command("exec", stack.state.root, "--", *words), **options)

    prefix, env = json.loads(there("python", "-c", show)[1])
    assert prefix == str(stack.state.flows_env)
    login = {f"METAFLOW_AIRFLOW_REST_API_{name}" for name in ("USERNAME", "PASSWORD")}
    steps = stack.step_environment()
    assert {name for name in steps if env.get(name) != steps[name]} == login
    assert "metaflow-airflow" in there("uv", "pip", "list")[1]
    assert there("sh", "-c", "exit 7")[0] == 7
    assert there("sh", "-c", "umask", umask=0o027) == (0, "0027\n")


def test_steps_do_not_get_the_login_of_those_who_deploy(stack: Stack) -> None:
    _, password = stack.airflow_login

    assert password in stack.environment().values()
    assert password not in stack.step_environment().values()
    for process in processes.marked(stack.state.root):
        assert password not in process.environ().values()


def test_secrets_are_in_no_log(stack: Stack) -> None:
    drawn = stack.state.credentials()
    secrets = [
        drawn["airflow"]["password"],
        *drawn["airflow_secrets"].values(),
        *drawn["postgres"].values(),
        drawn["s3"]["secret_access_key"],
        *drawn["s3"]["jwt_keys"],
    ]
    logs = [*stack.logs_folder.glob("*.log"), *stack.state.folder("airflow").rglob("*.log")]
    logs.append(stack.state.root / "stack.json")

    assert len(logs) > len(SERVERS)
    for log in logs:
        text = log.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in text], log


@pytest.mark.parametrize("name", ["triggerer", "s3"])
def test_a_crashed_server_is_reported_by_name_and_started_again(stack: Stack, name: str) -> None:
    before, told = pids(stack), len(stack.ends())
    os.kill(before[name], signal.SIGKILL)
    until(lambda: len(stack.ends()) > told, "the report of the crash")
    until(lambda: stack.status()["phase"] == "ready", "the server's start", within=180)

    after = pids(stack)
    assert after[name] != before[name]
    assert {n: p for n, p in after.items() if n != name} == {
        n: p for n, p in before.items() if n != name
    }
    assert stack.failures() == []
    report = stack.ends()[-1]["report"]
    assert report.startswith(
        f"{name} ended: killed by SIGKILL (signal 9). The end of {stack.state.log(name)}:"
    )
    code, text = run(*command("status", stack.state.root))
    assert code == 0
    assert f"{name} ended: killed by SIGKILL (signal 9)\n" in text


def test_a_hanging_server_is_reported_and_not_replaced(stack: Stack) -> None:
    pid = pids(stack)["s3"]
    os.kill(pid, signal.SIGSTOP)
    try:
        until(
            lambda: stack.status()["servers"]["s3"]["state"] == "unhealthy",
            "the news that s3 hangs", within=180,
        )  # fmt: skip
        assert run(*command("status", stack.state.root))[0] == 1
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: stack.status()["servers"]["s3"]["state"] == "ready", "the recovery of s3")
    assert pids(stack)["s3"] == pid


def test_the_death_of_the_parent_takes_airflow_along_and_all_of_it_comes_back(stack: Stack) -> None:
    before, told = pids(stack), len(stack.ends())
    family = processes.tree(before["airflow-parent"])
    os.kill(before["airflow-parent"], signal.SIGKILL)

    until(lambda: len(stack.ends()) == told + 5, "the report of all of Airflow")
    until(lambda: not any(alive(p) for p in family), "the end of the parent's children")
    until(lambda: stack.status()["phase"] == "ready", "Airflow's start", within=300)

    assert run(*command("status", stack.state.root))[0] == 0
    assert pids(stack)["postgres"] == before["postgres"]


def test_another_stack_as_another_user_in_a_hostile_environment(stack: Stack, other: Path) -> None:
    """An ordinary user, where this is root: brings one up beside mine, and takes it down."""
    user = _as_ordinary_user()
    mine = pids(stack)
    home = other.parent / "my h\xf6me"
    (home / "airflow").mkdir(parents=True)
    (home / "airflow/airflow.cfg").write_text("[core]\nexecutor = NoSuchExecutor\n")
    (home / "airflow/airflow.py").write_text("raise SystemExit('imported by mistake')\n")
    hostile = {
        **HOSTILE, "HOME": str(home), "AIRFLOW_HOME": str(home / "airflow"),
        "PYTHONPATH": str(home / "airflow"),
    }  # fmt: skip

    code, text = run(*user, *command("up", other), umask=0, more=hostile)

    assert code == 0, text
    kept = [*other.iterdir(), *(other / "logs").glob("[!f]*"), *(other / "s3").iterdir()]
    assert [path for path in kept if not path.is_symlink() and path.stat().st_mode & 0o077] == []
    for name in ("ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        assert re.search(rf"environment +{name}\S* \S* ?is left out: ", text), text
    second = Stack(other)
    assert not set(second.state.read()["ports"].values()) & set(
        stack.state.read()["ports"].values()
    )
    members = processes.marked(other)
    if user:
        assert {process.uids().effective for process in members} == {_user_id()}
    assert not knows(second, "none")

    code, text = run(*user, *command("down", other), more=hostile)

    assert (code, text.splitlines()[-1]) == (0, "stopped")
    assert processes.marked(other) == []
    assert not [process for process in members if alive(process)]
    assert pids(stack) == mine
    assert run(*command("status", stack.state.root))[0] == 0


@pytest.fixture
def other(stack: Stack, tmp_path: Path) -> Iterator[Path]:
    """A state directory of the ordinary user's, with the flows' environment made already."""
    root = tmp_path / "the other st\xe4ck"
    state = State.at(root)
    state.create()
    if os.geteuid() == 0:
        # The user has no cache of packages: share the environment instead of downloading it.
        workspace = flows_env.workspace()
        process = flows_env.start_sync(state, workspace, base_environment(state))
        flows_env.finish_sync(state, workspace, process.wait(300))
        for path in (root, *root.iterdir()):
            shutil.chown(path, _user_id(), _user_id())
        for folder in tmp_path.parents:
            if folder.stat().st_uid == 0 and str(folder).startswith("/tmp/pytest-"):
                folder.chmod(folder.stat().st_mode | 0o011)
        tmp_path.chmod(0o711)
    yield root
    left = processes.marked(root)
    processes.end(left)
    assert left == []


def _user_id() -> int:
    return postgres._other_user()[0] if os.geteuid() == 0 else os.geteuid()


def _as_ordinary_user() -> list[str]:
    """The words before a command that run it as nobody; none where this is an ordinary user.

    Nobody may pass through directories, as this Python and checkout may lie below /root.
    """
    return postgres._as_other_user()


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
from embedded.errors import StackError
from embedded.ports import HOST, assign
from embedded.servers.postgres import DATABASE, ROLE, Postgres
from embedded.state import State

from .servers import Started, environment, started


@pytest.fixture
def new_server(tmp_path: Path) -> Callable[[], Postgres]:
    state = State.at(tmp_path / "state")
    state.create()
    port = assign({}, {})["postgres"]
    return lambda: Postgres(
        data=state.folder("postgres"), port=port, log=state.log("postgres"),
        superuser="super-secret", airflow=PASSWORD, env=environment(state.root),
    )  # fmt: skip


@pytest.fixture
def running(new_server: Callable[[], Postgres]) -> Iterator[Started]:
    with started(new_server()) as server:
        yield server


PASSWORD = "airflow-secret"


def ask(server: Postgres, query: str, password: str = PASSWORD) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(
        host=HOST, port=server.port, user=ROLE, password=password, dbname=DATABASE
    )
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute(query)
    found = cursor.fetchall() if cursor.description else []
    connection.close()
    return found


def postgres(started: Started) -> Postgres:
    assert isinstance(started.server, Postgres)
    return started.server


def test_airflow_owns_its_database_and_is_no_superuser(running: Started) -> None:
    (row,) = ask(
        postgres(running),
        "SELECT rolsuper, pg_get_userbyid(datdba) FROM pg_roles, pg_database "
        "WHERE rolname = current_user AND datname = current_database()",
    )

    assert row == (False, ROLE)


def test_a_wrong_password_is_refused(running: Started) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        ask(postgres(running), "SELECT 1", password="guess")


def test_it_listens_on_this_machine_alone(running: Started) -> None:
    assert running.listens_on() == {HOST}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to drop")
def test_it_does_not_run_as_root(running: Started) -> None:
    process = psutil.Process(running.running.pid)

    assert process.username() == "nobody"
    status = Path(f"/proc/{process.pid}/status").read_text()
    capabilities = next(line for line in status.splitlines() if line.startswith("CapBnd"))
    assert bin(int(capabilities.split()[1], 16)).count("1") == 1  # to pass through directories


def test_a_kill_loses_nothing_that_was_committed(
    running: Started, new_server: Callable[[], Postgres]
) -> None:
    ask(postgres(running), "CREATE TABLE trips AS SELECT * FROM generate_series(1, 1000) AS id")
    running.kill()

    with started(new_server()) as second:
        assert ask(postgres(second), "SELECT count(*) FROM trips") == [(1000,)]


def test_a_pid_file_whose_number_is_another_program_now_does_not_stop_it(
    running: Started, new_server: Callable[[], Postgres]
) -> None:
    running.kill()
    file = postgres(running).data / "data" / "postmaster.pid"
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        lines = file.read_text().splitlines()
        file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")

        with started(new_server()) as second:
            assert ask(postgres(second), "SELECT 1") == [(1,)]
        assert other.poll() is None
    finally:
        other.communicate(b"\n")


def test_a_second_server_on_the_same_data_is_refused(
    running: Started, new_server: Callable[[], Postgres]
) -> None:
    with pytest.raises(StackError, match=f"pid {running.running.pid}.* already runs on"):
        Started(new_server())


def test_what_an_interrupted_initdb_left_is_made_anew(new_server: Callable[[], Postgres]) -> None:
    server = new_server()
    (server.data / "data" / "base").mkdir(parents=True)

    with started(server) as fresh:
        assert ask(postgres(fresh), "SELECT 1") == [(1,)]


KILLED_AT = """
import os, signal, subprocess, sys
from pathlib import Path
from embedded.servers import postgres

whole = subprocess.run

def cut_short(command, **options):
    '''initdb, killed with whoever started it, as soon as its data directory has a version.'''
    folder = Path(command[command.index("-D") + 1])
    process = subprocess.Popen(command, env=options["env"], cwd=options["cwd"])
    while not (folder / "PG_VERSION").exists():
        assert process.poll() is None, "initdb ended"
    process.kill()
    os.kill(os.getpid(), signal.SIGKILL)

subprocess.run = cut_short
data, port = Path(sys.argv[1]), int(sys.argv[2])
postgres.Postgres(
    data=data, port=port, log=data.parent / "log", superuser="a", airflow="b", env=dict(os.environ)
)._prepare()
"""


def test_an_initdb_that_is_killed_is_no_database(new_server: Callable[[], Postgres]) -> None:
    server = new_server()

    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT, str(server.data), str(server.port)], check=False
    )

    assert done.returncode == -9
    with started(server) as running:
        assert ask(postgres(running), "SELECT 1") == [(1,)]
    assert not (server.data / "data.new").exists()

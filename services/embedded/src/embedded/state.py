"""The state directory: everything a stack keeps, readable by its owner alone."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_service.settings import new_secrets

from embedded.errors import StackError

Json = dict[str, Any]
# Makes a folder a DAG bundle with versions (metaflow_airflow.bundle).
_NEW_BUNDLE: Json = {"format": 1}
FOLDERS = (
    *("logs", "airflow", "dags", "metaflow", "metaflow-home", "envs"),
    *("postgres", "s3", "secrets", "tmp"),
)
SECRETS = ("connections.json", "variables.json")
"""Files of Airflow's secrets backend, for the stack's user to fill."""


@dataclass(frozen=True)
class State:
    """Paths and files of one stack below `root`."""

    root: Path

    @classmethod
    def at(cls, folder: Path) -> State:
        """Return the state in `folder`, which need not exist yet."""
        return cls(folder.expanduser().absolute())

    def create(self) -> None:
        """Make the directory and its folders (0700); an existing one is kept."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.root.chmod(0o700)
            for name in FOLDERS:
                (self.root / name).mkdir(mode=0o700, exist_ok=True)
            bundle = self.folder("dags") / "bundle.json"
            if not bundle.exists():
                self._write("dags/bundle.json", _NEW_BUNDLE)
            for name in SECRETS:
                # Airflow asks for what is in them whenever a task does: they have to be there.
                file = self.root / "secrets" / name
                if not file.exists():
                    file.touch(mode=0o600)
                    file.write_text("{}\n")
        except OSError as error:
            raise StackError(
                f"the state directory {self.root} cannot be made: {error.strerror}. "
                "Choose another with --state DIR."
            ) from error

    @property
    def exists(self) -> bool:
        """Whether a stack was ever started here."""
        return (self.root / "stack.json").exists()

    def folder(self, name: str) -> Path:
        """Return one of FOLDERS."""
        return self.root / name

    def log(self, server: str) -> Path:
        """Return the path of a server's log."""
        return self.root / "logs" / f"{server}.log"

    @property
    def flows_env(self) -> Path:
        """The virtual environment that flow steps run in."""
        return self.root / "envs" / "ml_flows"

    @property
    def flows_python(self) -> Path:
        """The Python of `flows_env`."""
        return self.flows_env / "bin" / "python"

    def read(self) -> Json:
        """Return stack.json, or nothing when there is none."""
        return self._read("stack.json")

    def write(self, content: Json) -> None:
        """Replace stack.json in one move: a reader sees the old or the new one."""
        self._write("stack.json", content)

    def credentials(self) -> Json:
        """Return credentials.json, drawn at the first call.

        Raises StackError when it is gone while the servers' data, locked with it, is still there.
        """
        found = self._read("credentials.json")
        if found and "publisher" not in found:  # drawn before steps published events
            found["publisher"] = _publisher()
            self._write("credentials.json", found)
        if found:
            return found
        if any(self.folder("postgres").iterdir()):
            raise StackError(
                f"{self.root}/credentials.json is gone, and the database in {self.root}/postgres "
                f"cannot be opened without it. Delete {self.root} to begin anew."
            )
        drawn = _drawn()
        self._write("credentials.json", drawn)
        return drawn

    def rotate(self) -> list[str]:
        """Draw passwords and keys anew, for a stack that is down; return what they are of.

        What opens or encrypts kept data stays: the database's superuser, Airflow's Fernet key.
        """
        old, new = self.credentials(), _drawn()
        new["postgres"]["superuser"] = old["postgres"]["superuser"]
        new["airflow_secrets"]["fernet_key"] = old["airflow_secrets"]["fernet_key"]
        self._write("credentials.json", new)
        return [
            f"{part}.{name}"
            for part in new
            for name in new[part]
            if new[part][name] != old[part].get(name)
        ]

    @contextlib.contextmanager
    def lock(self, name: str, wait: float = 0.0) -> Iterator[None]:
        """Hold `<name>.lock` of this state; the kernel frees it when the holder dies.

        Raises StackError when somebody else holds it for longer than `wait` seconds.
        """
        deadline = time.monotonic() + wait
        with (self.root / f"{name}.lock").open("a") as file:
            while not _try_lock(file.fileno()):
                if time.monotonic() >= deadline:
                    raise StackError(
                        f"another command holds {self.root}/{name}.lock and did not finish in "
                        f"{wait:.0f} s: wait for it, or end it, and run this again"
                    )
                time.sleep(0.1)
            yield

    def is_locked(self, name: str) -> bool:
        """Say whether a living process holds `<name>.lock`."""
        path = self.root / f"{name}.lock"
        if not path.exists():
            return False
        with path.open("a") as file:
            return not _try_lock(file.fileno())

    def _read(self, name: str) -> Json:
        try:
            content: Json = json.loads((self.root / name).read_text())
        except FileNotFoundError:
            return {}
        except json.JSONDecodeError as error:
            raise StackError(f"{self.root / name} is not JSON ({error}): delete it") from error
        return content

    def _write(self, name: str, content: Json) -> None:
        path = self.root / name
        part = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=2)
        part.replace(path)


def _drawn() -> Json:
    airflow = new_secrets()
    return {
        "airflow": {"username": "admin", "password": secrets.token_urlsafe(18)},
        "publisher": _publisher(),
        "airflow_secrets": {
            "fernet_key": airflow.fernet_key,
            "api_secret_key": airflow.api_secret_key,
            "jwt_secret": airflow.jwt_secret,
        },
        "postgres": {"superuser": secrets.token_hex(24), "airflow": secrets.token_hex(24)},
        "s3": {
            "access_key_id": secrets.token_hex(10).upper(),
            "secret_access_key": secrets.token_hex(20),
            "jwt_keys": [secrets.token_hex(32) for _ in range(4)],
        },
    }


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _publisher() -> Json:
    """The login by which flow steps publish events: Airflow's role for that, and no more."""
    return {"username": "flows", "password": secrets.token_urlsafe(18)}

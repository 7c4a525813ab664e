#!/usr/bin/env python3
"""Draw the compose stack's passwords and keys, and choose its ports: writes `.env` (0600) once.

    python3 services/env.py [--rotate] [FILE]

An existing file is kept; what it lacks, as after an upgrade, is added. With --rotate all its
passwords and keys are drawn anew; `stack rotate --target compose` brings them to the containers.
Needs Python alone.
"""

from __future__ import annotations

import base64
import os
import secrets
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_HOST = "127.0.0.1"


def _password() -> str:
    return secrets.token_urlsafe(24)


def _hex() -> str:
    return secrets.token_hex(32)


def _fernet() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _s3_key() -> str:
    return secrets.token_hex(10).upper()  # 20 characters: MinIO takes no longer ones


def _s3_secret() -> str:
    return secrets.token_hex(20)


def _port(wanted: int) -> Callable[[], str]:
    def choose() -> str:
        return str(next(port for port in range(wanted, wanted + 1000) if _is_free(port)))

    return choose


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
        return True


def _fixed(text: str) -> Callable[[], str]:
    return lambda: text


# A comment heads a section; None stands for it. Drawn once, in this order.
SETTINGS: dict[str, Callable[[], str] | None] = {
    "# Where people reach the services, and which ports.": None,
    "BIND_ADDRESS": _fixed(_HOST),
    "AIRFLOW_PORT": _port(8080),
    "METADATA_PORT": _port(8181),
    "METAFLOW_UI_PORT": _port(8283),
    "S3_PORT": _port(9000),
    "MINIO_CONSOLE_PORT": _port(9101),
    "# Seconds: until what hangs is started anew, all are healthy, a docker command is done.": None,
    "WATCHDOG_SECONDS": _fixed("300"),
    "START_SECONDS": _fixed("600"),
    "DOCKER_SECONDS": _fixed("3600"),
    "# Steps as pods: k3s here (k3s), a cluster of yours (cluster), or none (empty).": None,
    "COMPOSE_PROFILES": _fixed(""),
    "# cluster: its administrator's kubeconfig, and this machine's address as its pods see it.": (
        None
    ),
    "KUBECONFIG_FILE": _fixed(""),
    "PODS_BIND_ADDRESS": _fixed(_HOST),
    "# The image that steps run in; with a cluster of yours, the name you pushed it under.": None,
    "POD_IMAGE": _fixed("platform/pod:local"),
    "# Logins.": None,
    "AIRFLOW_ADMIN": _fixed("admin"),
    "AIRFLOW_ADMIN_PASSWORD": _password,
    "MINIO_ROOT_USER": _s3_key,
    "MINIO_ROOT_PASSWORD": _s3_secret,
    "# Of the services among themselves.": None,
    "POSTGRES_PASSWORD": _hex,
    "AIRFLOW_DB_PASSWORD": _hex,
    "METAFLOW_DB_PASSWORD": _hex,
    "AIRFLOW_FERNET_KEY": _fernet,
    "AIRFLOW_API_SECRET_KEY": _hex,
    "AIRFLOW_JWT_SECRET": _hex,
    "WORKER_DATA_ENGINEERING_KEY": _hex,
    "WORKER_FLOWS_KEY": _hex,
    "WORKER_PLATFORM_KEY": _hex,
    "K3S_TOKEN": _hex,
    "# S3 users: of each team who deploys and what runs; Airflow's bundles; Metaflow's UI.": None,
    "DE_DEPLOY_S3_KEY": _s3_key,
    "DE_DEPLOY_S3_SECRET": _s3_secret,
    "DE_RUN_S3_KEY": _s3_key,
    "DE_RUN_S3_SECRET": _s3_secret,
    "ML_DEPLOY_S3_KEY": _s3_key,
    "ML_DEPLOY_S3_SECRET": _s3_secret,
    "ML_RUN_S3_KEY": _s3_key,
    "ML_RUN_S3_SECRET": _s3_secret,
    "AIRFLOW_S3_KEY": _s3_key,
    "AIRFLOW_S3_SECRET": _s3_secret,
    "METAFLOW_UI_S3_KEY": _s3_key,
    "METAFLOW_UI_S3_SECRET": _s3_secret,
}


# What has to be known once more after a rotation: the database opens with the password before, and
# pods that run have the S3 key before.
BEFORE: dict[str, Callable[[Mapping[str, str]], str]] = {
    "POSTGRES_PASSWORD_BEFORE": lambda old: old["POSTGRES_PASSWORD"],
    "S3_KEYS_BEFORE": lambda old: ":".join(
        old[name] for name in SETTINGS if name.endswith("_S3_KEY")
    ),
}
# k3s' own, with which another node would join it: `k3s token rotate`.
_KEPT = {"K3S_TOKEN"}
_DRAWS = (_password, _hex, _fernet, _s3_key, _s3_secret)


def rotated(old: Mapping[str, str]) -> dict[str, str]:
    """Return the settings with every password and key drawn anew.

    Airflow reads what it encrypted with the key before, which stays beside the new one until the
    next rotation.
    """
    new = {
        name: draw() if draw in _DRAWS and name not in _KEPT else old[name]
        for name, draw in SETTINGS.items()
        if draw is not None
    }
    new["AIRFLOW_FERNET_KEY"] += f",{old['AIRFLOW_FERNET_KEY'].partition(',')[0]}"
    return {**old, **new, **{name: value(old) for name, value in BEFORE.items()}}


def read(file: Path) -> dict[str, str]:
    """Return the settings of a .env file; none when it does not exist."""
    if not file.exists():
        return {}
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def missing(there: Mapping[str, str]) -> str:
    """Return lines for what is not there yet, freshly drawn; empty when nothing is missing."""
    lines, heading = [], ""
    for name, draw in SETTINGS.items():
        if draw is None:
            heading = name
        elif name not in there:
            if heading:
                lines.append(heading)
                heading = ""
            lines.append(f"{name}={draw()}")
    return "".join(f"{line}\n" for line in lines)


def write(file: Path) -> bool:
    """Add what is missing to the file, readable by its owner alone; return whether it changed."""
    added = missing(read(file))
    if not added:
        return False
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    _replace(file, before + added)
    return True


def rotate(file: Path) -> list[str]:
    """Draw the file's passwords and keys anew, in one move; return the names of those."""
    write(file)
    old = read(file)
    new = rotated(old)
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        name = line.partition("=")[0].strip()
        if name not in BEFORE:
            lines.append(f"{name}={new[name]}" if name in new else line)
    lines += [f"{name}={new[name]}" for name in BEFORE]
    _replace(file, "".join(f"{line}\n" for line in lines))
    return [name for name in old if old[name] != new[name] and name not in BEFORE]


def _replace(file: Path, text: str) -> None:
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    part.replace(file)


def main() -> None:
    """Write the file that the command line names, else `.env` beside compose.yaml."""
    words = [word for word in sys.argv[1:] if word != "--rotate"]
    file = Path(words[0]) if words else ROOT / ".env"
    if "--rotate" in sys.argv[1:]:
        print(f"{file}: drawn anew: {', '.join(rotate(file))}")
        return
    print(f"{file}: {'written' if write(file) else 'complete, kept as it is'}")


if __name__ == "__main__":
    main()

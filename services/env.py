#!/usr/bin/env python3
"""Draw the compose stack's passwords and keys, and choose its ports: writes `.env` (0600) once.

    python3 services/env.py [FILE]

An existing file is kept; what it lacks, as after an upgrade, is added. Needs Python alone.
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
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(before + added)
    part.replace(file)
    return True


def main() -> None:
    """Write the file that the command line names, else `.env` beside compose.yaml."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".env"
    print(f"{file}: {'written' if write(file) else 'complete, kept as it is'}")


if __name__ == "__main__":
    main()

"""A key a worker: what it signs with, and what the API server knows it by.

Airflow's own way lets every worker sign with the key that signs people's logins. Here each has one
of its own, which the API server takes from a key set instead.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

ISSUER = "edge-workers"
_ALGORITHM = "HS512"
_PATIENCE = 15 * 60  # seconds


def key_set(secrets: Mapping[str, str]) -> str:
    """Return the JSON Web Key Set of the workers: the key of a name is called by that name."""
    keys = [
        {
            "kty": "oct",
            "kid": name,
            "alg": _ALGORITHM,
            "k": base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
        }
        for name, secret in secrets.items()
    ]
    return json.dumps({"keys": keys})


def server_environment(file: Path) -> dict[str, str]:
    """Return the settings of an API server that knows workers by the key set in `file`."""
    return {
        "AIRFLOW__EDGE__API_ENABLED": "True",
        "AIRFLOW__EDGE__TRUSTED_JWKS_URL": str(file),
        "AIRFLOW__EDGE__JWT_ALGORITHM": _ALGORITHM,
        "AIRFLOW__EDGE__JWT_ISSUER": ISSUER,
        "AIRFLOW__EDGE__JWT_AUDIENCE": "api",
    }


def worker_environment(name: str, secret: str) -> dict[str, str]:
    """Return the settings of a worker that signs with its own key."""
    return {
        "AIRFLOW__API_AUTH__JWT_SECRET": secret,
        "AIRFLOW__API_AUTH__JWT_KID": name,
        "AIRFLOW__API_AUTH__JWT_ISSUER": ISSUER,
        # How long a request of its is good for: at the default of 10 s, one that waits for a busy
        # API server is refused, which ends the worker and what it runs.
        "AIRFLOW__API_AUTH__JWT_LEEWAY": str(_PATIENCE),
        # Tries of a request while the API server is away, a minute apart at most.
        "AIRFLOW__EDGE__API_RETRIES": "25",
        "AIRFLOW__EDGE__API_RETRY_WAIT_MAX": "60",
    }

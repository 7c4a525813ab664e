"""Docker's health check: asks the API server for itself, or for the server that is named."""

from __future__ import annotations

import http.client
import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

from airflow_service.container import API_URL, WORKER_PID


def main(server: str | None = None) -> str | None:
    """Return what is wrong, or None."""
    if server == "worker":
        return _worker()
    address = urlsplit(API_URL)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=15)
    try:
        connection.request("GET", "/api/v2/monitor/health")
        answer = connection.getresponse()
        content = answer.read()
    except OSError as error:
        return f"the API server {API_URL} does not answer: {error}"
    if answer.status != http.client.OK:
        return f"the API server answers {answer.status}"
    name = server or "metadatabase"
    status = json.loads(content)[name]["status"]
    return None if status == "healthy" else f"{name} is {status}"


def _worker() -> str | None:
    """A worker leaves its number when Airflow has taken it in."""
    try:
        number = WORKER_PID.read_text().strip()
    except FileNotFoundError:
        return "Airflow does not know this worker yet"
    return None if Path(f"/proc/{number}").exists() else f"process {number} is gone"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

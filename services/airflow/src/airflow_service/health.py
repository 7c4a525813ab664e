"""Docker's health check: asks the API server for itself, or for the server that is named.

Ends with 1 where the container's own server is at fault, with 3 where it is another one: the
watchdog (services/watchdog.sh) starts no server anew because its database is away.
"""

from __future__ import annotations

import http.client
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from airflow_service.container import API_URL, WORKER_PID

HEALTHY, AT_FAULT, ELSEWHERE = 0, 1, 3
_STILL = 120.0  # seconds: twice as long as a worker waits between two tries of a request


def main(server: str | None = None) -> int:
    """Say what is wrong; return who is at fault, if anybody."""
    code, said = _worker() if server == "worker" else _server(server)
    if said:
        print(said, file=sys.stderr)
    return code


def _server(name: str | None) -> tuple[int, str]:
    address = urlsplit(API_URL)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=15)
    silent = ELSEWHERE if name else AT_FAULT
    try:
        connection.request("GET", "/api/v2/monitor/health")
        answer = connection.getresponse()
        content = answer.read()
    except OSError as error:
        return silent, f"the API server {API_URL} does not answer: {error}"
    if answer.status != http.client.OK:
        return silent, f"the API server answers {answer.status}"
    health = json.loads(content)
    if (status := health["metadatabase"]["status"]) != "healthy":
        return ELSEWHERE, f"metadatabase is {status}"
    if name and (status := health[name]["status"]) != "healthy":
        return AT_FAULT, f"{name} is {status}"
    return HEALTHY, ""


def _worker() -> tuple[int, str]:
    """A worker leaves its number when Airflow has taken it in; it asks for work again and again."""
    try:
        number = WORKER_PID.read_text().strip()
        status = Path("/proc", number, "status").read_text()
    except FileNotFoundError as error:
        return AT_FAULT, f"Airflow does not know this worker yet, or it is gone: {error.filename}"
    (slept,) = re.findall(r"^voluntary_ctxt_switches:\s+(\d+)$", status, re.MULTILINE)
    file = Path(tempfile.gettempdir(), f"airflow-worker-{number}")
    before, seen = file.read_text().split() if file.exists() else ("", "")
    if slept != before:
        file.write_text(f"{slept} {time.monotonic()}")
        return HEALTHY, ""
    if (still := time.monotonic() - float(seen)) > _STILL:
        return AT_FAULT, f"process {number} has stood still for {still:.0f} s"
    return HEALTHY, ""


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""What is within reach in a container of the running stack.

    uv run python tests/compose/reach.py        # of the stack that `docker compose` names

prints which passwords and keys of .env whatever runs in each container can read, in the environment
of any process that it sees or in any file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTAINERS = (
    "worker-flows", "worker-data-engineering", "scheduler", "dag-processor", "triggerer",
    "api-server",
)  # fmt: skip
# Values leave the container as hashes.
_PROBE = r"""
import hashlib, os, re
words, word = set(), re.compile(rb"[\w=+/.-]{20,}")
def look(path):
    try:
        with open(path, "rb") as file:
            for found in word.findall(file.read(1 << 20)):
                words.update({found, *re.split(rb"[=,:@/]", found), found.partition(b"=")[2]})
    except OSError:
        pass
for pid in filter(str.isdigit, os.listdir("/proc")):
    look(f"/proc/{pid}/environ")
    look(f"/proc/{pid}/cmdline")
for top in ("/opt/airflow-home", "/run", "/tmp", "/etc"):
    for folder, _, files in os.walk(top):
        for name in files:
            look(os.path.join(folder, name))
print("\n".join(hashlib.sha256(each).hexdigest() for each in words if len(each) >= 16))
"""
# With a worker's own key, by Airflow's own client: for each wish what the API server answered.
_ASK = r"""
import asyncio, json, os
from airflow_service import container
os.environ.update(container.environment(os.environ, "edge"))
from aiohttp import ClientResponseError
from airflow.providers.edge3.cli import api_client
from airflow.models.taskinstancekey import TaskInstanceKey
from datetime import datetime, timezone
mine = os.environ["WORKER"]
(other,) = set(container.BUNDLES) - {mine}
key = TaskInstanceKey("data_engineering_dag", "month", "some_run", 1, -1)
now = datetime.now(timezone.utc)
wishes = {
    "own tasks": lambda: api_client.jobs_fetch(mine, [mine], 0),
    "the other worker's queue": lambda: api_client.jobs_fetch(mine, [other], 1),
    "all queues": lambda: api_client.jobs_fetch(mine, None, 1),
    "the other worker's name": lambda: api_client.jobs_fetch(other, [other], 1),
    "another task's end": lambda: api_client.jobs_set_state(key, "success"),
    "another task's log": lambda: api_client.logs_push(key, now, "forged"),
}
async def ask(wish):
    try:
        await wish()
        return 200
    except ClientResponseError as error:
        return error.status
print("answers", json.dumps({name: asyncio.run(ask(wish)) for name, wish in wishes.items()}))
"""


def within_reach(container: str, secrets: dict[str, str]) -> set[str]:
    """Return the names of the secrets that can be read in a container.

    Args:
        secrets: the values of .env by name.
    """
    there = set(_run(container, _PROBE).split())
    return {name for name, value in secrets.items() if _hash(value) in there}


def worker_answers(container: str) -> dict[str, int]:
    """Return what Airflow answers to each wish of a worker, by HTTP status."""
    found = re.search(r"^answers (.*)$", _run(container, _ASK), re.MULTILINE)
    assert found
    answers: dict[str, int] = json.loads(found[1])
    return answers


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _run(container: str, program: str) -> str:
    done = subprocess.run(
        ["docker", "compose", "exec", "-T", container, "python", "-"],
        cwd=ROOT, input=program, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def main() -> None:
    """Print a line a container."""
    file = Path(os.environ.get("COMPOSE_ENV_FILES", ROOT / ".env"))
    lines = (line.partition("=") for line in file.read_text().splitlines() if "=" in line)
    secret = re.compile(r"(PASSWORD|SECRET|TOKEN|_KEY)$")
    secrets = {name: value for name, _, value in lines if secret.search(name)}
    for container in CONTAINERS:
        print(f"{container}: {', '.join(sorted(within_reach(container, secrets))) or 'none'}")
    for container in CONTAINERS[:2]:
        print(f"{container}: {worker_answers(container)}")


if __name__ == "__main__":
    main()

"""What the tests do with the stack: deploy, trigger, wait, and look at what ran."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from metaflow_airflow.airflow_api.client import AirflowClient, NotFoundError
from pipeline import task_log
from pipeline.targets.compose import ComposeTarget
from waiting import until

from .engine import kubectl


def create(target: ComposeTarget, file: Path, *options: str) -> None:
    """Export a flow: it is in Airflow when the command returns."""
    done = subprocess.run(
        [sys.executable, file, *options, "airflow", "create"],
        env=target.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def trigger(api: AirflowClient, dag_id: str, conf: dict[str, str]) -> str:
    api.set_paused(dag_id, False)
    name = f"test__{time.time()}"
    api.trigger(dag_id, name, conf)
    return name


def task_of(api: AirflowClient, dag_id: str, run: str, task_id: str = "start") -> Any:
    def found() -> Any:
        every = api.task_instances(dag_id, run)
        return next((task for task in every if task["task_id"] == task_id), None)

    return until(found, f"{task_id} of {dag_id} {run}")


def said(api: AirflowClient, task: Any) -> list[str]:
    """What the last try of a task instance has logged so far: nothing before it began."""
    try:
        return task_log.lines(api.log(task))
    except NotFoundError:
        return []


def has_dag(api: AirflowClient, dag_id: str, word: str) -> bool:
    """Whether Airflow has the DAG in the version with that word in it."""
    try:
        return word in json.dumps(api.dag(dag_id))
    except NotFoundError:
        return False


def end_of(api: AirflowClient, dag_id: str, run: str) -> str:
    ended = lambda: api.run(dag_id, run)["state"] in ("success", "failed")  # noqa: E731
    until(ended, f"the end of {dag_id} {run}")
    return str(api.run(dag_id, run)["state"])


def ended(api: AirflowClient, dag_id: str, run: str) -> None:
    """Leave nothing of a run behind, whatever became of it: the tests after it want the room."""
    if api.run(dag_id, run)["state"] not in ("success", "failed"):
        api.set_run_state(dag_id, run, "failed")
    until(lambda: not kubectl("get", "pods", "--output", "name"), "the end of all pods")


def pipeline_run(ran: list[str]) -> str:
    found = re.search(r"data_engineering_dag runs as (\S+)", "".join(ran))
    assert found
    return f"data_engineering__{found[1]}"


def attempts(target: ComposeTarget, flow: str, run: str) -> dict[str, list[str]]:
    """By task, the numbers of the attempts that Metaflow registered: each began to run once."""
    service = target.environment()["METAFLOW_SERVICE_URL"]
    found = {}
    with httpx.Client(base_url=service, timeout=60, trust_env=False) as metadata:
        place = f"/flows/{flow}/runs/{run}"
        for step in metadata.get(f"{place}/steps").json():
            tasks = f"{place}/steps/{step['step_name']}/tasks"
            for task in metadata.get(tasks).json():
                name = task["task_id"]
                fields = metadata.get(f"{tasks}/{name}/metadata").json()
                numbers = [each["value"] for each in fields if each["field_name"] == "attempt"]
                if step["step_name"] != "_parameters":
                    found[f"{step['step_name']}/{name}"] = numbers
    return found


def drawn() -> dict[str, str]:
    lines = Path(os.environ["COMPOSE_ENV_FILES"]).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def is_secret(name: str) -> bool:
    """Whether a variable of .env has a value that nobody else may know."""
    return re.search(r"(PASSWORD|SECRET|TOKEN|_KEY)$", name) is not None


def secrets() -> list[str]:
    """The values of the stack's secrets."""
    found = [value for name, value in drawn().items() if is_secret(name)]
    assert len(found) > 10
    return found

#!/usr/bin/env python
"""The Python of a context of Metaflow's core suite: `run` and `resume` become a run on Airflow.

The suite calls `PYTHON -B test_flow.py OPTIONS run|resume [STEP] --run-id-file FILE OPTIONS` and
judges exit code, run id and what the run left. This exports, triggers and waits instead; its exit
code is 0 when the run succeeded, 1 when it was refused or failed. Seconds to wait for a run's end:
CORE_SUITE_TIMEOUT, 600 unless set.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from metaflow import Run, namespace
from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.airflow_api.runs import find_run

_ENDS = ("SUCCEEDED", "FAILED")


def main(arguments: list[str]) -> int:
    """Do what the suite asked for; the exit code."""
    script = next(number for number, word in enumerate(arguments) if not word.startswith("-"))
    verb = next(n for n, word in enumerate(arguments) if n > script and not word.startswith("-"))
    flow = [sys.executable, *arguments[:verb], "airflow"]
    rest = arguments[verb + 1 :]
    at = rest.index("--run-id-file")
    step, file, options = rest[:at], rest[at + 1], rest[at + 2 :]

    if arguments[verb] == "run":
        _answer([*flow, "create", "--json", *options])
        answer = _answer([*flow, "trigger", "--json", f"--run-id-file={file}"])
    else:
        origin = Path(file).read_text()
        resume = ["resume", "--json", f"--run-id-file={file}", f"--origin-run-id={origin}"]
        answer = _answer([*flow, *resume, *step])
    succeeded = _wait(answer["dag_id"], answer["run_id"], answer["dag_run_id"])
    _show_to_the_user(answer["dag_id"].rpartition(".")[2], answer["run_id"])
    return 0 if succeeded else 1


def _show_to_the_user(flow_name: str, run_id: str) -> None:
    """Tag a run as its user's.

    A deployment's runs are in the namespace of its production token, as with Metaflow's other
    schedulers; the suite looks for them in the user's alone.
    """
    namespace(None)
    Run(f"{flow_name}/{run_id}").add_tag(f"user:{os.environ['METAFLOW_USER']}")


def _answer(command: list[str]) -> dict[str, str]:
    """The JSON value that a verb prints; ends this program where the verb failed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(done.stdout)
        sys.exit(done.returncode)
    return json.loads(done.stdout)


def _wait(dag_id: str, run_id: str, dag_run_id: str) -> bool:
    """Wait for a run's end, and say what failed; whether it succeeded."""
    client = AirflowClient.from_settings()
    seconds = float(os.environ.get("CORE_SUITE_TIMEOUT", "600"))
    deadline = time.monotonic() + seconds
    while (status := find_run(client, dag_id, run_id).status) not in _ENDS:
        if time.monotonic() > deadline:
            print(f"{dag_id} {run_id} is {status} after {seconds:g} s", file=sys.stderr)
            break
        time.sleep(1)
    if status == "SUCCEEDED":
        return True
    for task in client.task_instances(dag_id, dag_run_id):
        name = task["task_id"]
        print(f"{name}[{task['map_index']}]: {task['state']}", file=sys.stderr)
        if task["state"] == "failed":
            path = f"dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{name}/logs/"
            query = {"map_index": task["map_index"], "full_content": "true"}
            log = client._get(f"{path}{task['try_number']}", query)
            for entry in log["content"][-30:]:
                print(f"    {entry.get('event')}", file=sys.stderr)
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

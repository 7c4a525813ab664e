"""Runs of the flow Kept: they wait in their first step until they are let go."""

from __future__ import annotations

import time
from pathlib import Path

from metaflow_airflow.airflow_api.client import AirflowClient
from pipeline.targets.compose import ComposeTarget
from waiting import until

from .engine import KUBECONFIG, docker, kubectl
from .runs import create, said, task_of, trigger
from .shooting import running_pods

FLOW = Path(__file__).parent / "kept.py"


def export(target: ComposeTarget, form: str, folder: Path, *options: str) -> Path:
    """Export the flow in a form, "first" or another: its words, and the name of a step."""
    file = folder / "kept.py"
    file.write_text(FLOW.read_text().replace("first", form))
    create(target, file, *target.export_options, *options)
    return file


def waiting(api: AirflowClient, form: str) -> str:
    """Return a new run, whose first step waits."""
    run = trigger(api, "Kept", {"folder": f"/tmp/kept-{time.time_ns()}"})

    until(lambda: waits(api, run, form), f"the first step of {run}")
    return run


def waits(api: AirflowClient, run: str, form: str = "first") -> bool:
    """Say whether the last try of the run's first step waits."""
    log = said(api, task_of(api, "Kept", run))
    return any(f"the {form} version waits" in line for line in log)


def end(api: AirflowClient, run: str) -> set[str]:
    """Let a run go; return its steps when it has ended well."""
    folder = api.run("Kept", run)["conf"]["folder"]
    go = ("sh", "-c", f"mkdir -p {folder} && touch {folder}/go")

    def ended() -> bool:
        # Each try has a pod of its own.
        for pod in running_pods("Kept") if KUBECONFIG else ():
            kubectl("exec", pod, "--", *go, check=False)
        if not KUBECONFIG:
            docker("compose", "exec", "-T", "worker-flows", *go)
        time.sleep(1)
        return api.run("Kept", run)["state"] in ("success", "failed")

    until(ended, f"the end of {run}", within=600)
    tasks = list(api.task_instances("Kept", run))
    states = {task["task_id"]: task["state"] for task in tasks}
    assert api.run("Kept", run)["state"] == "success", states
    return {name for name, state in states.items() if state == "success"}

"""The environment variables of a step: what Metaflow's own schedulers give theirs. Pure."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from ...wire.task import RETRY_COUNT_VARIABLE, StepTask
from ..code.package import CODE_DIRECTORY
from ..failures import LaunchError
from ..outages import patience, service_requests

RUNTIME_NAME = "airflow"


def import_path(task: StepTask, root: Path) -> Path:
    """The folder of the unpacked code package that goes into PYTHONPATH.

    Raises:
        LaunchError: packed by a Metaflow that this version does not know.
    """
    version = json.loads(task.code_metadata or "{}").get("mfcontent_version", 1)
    folders = {0: root, 1: root / CODE_DIRECTORY}
    if version not in folders:
        raise LaunchError(
            f"The code package {task.code_url} has content version {version}; this "
            "metaflow-airflow knows 0 and 1. Upgrade it where the steps run."
        )
    return folders[version]


def step_variables(task: StepTask, root: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of the step.

    Args:
        root: of the unpacked code package.
        environ: what the launcher was started with.
    """
    variables = {**task.defaults, **environ, **task.env}
    path = [str(import_path(task, root)), variables.get("PYTHONPATH", "")]
    ours = {
        "METAFLOW_CODE_URL": task.code_url,
        "METAFLOW_CODE_SHA": task.code_sha,
        "METAFLOW_CODE_DS": task.datastore,
        "METAFLOW_CODE_METADATA": task.code_metadata,
        # Where clients inside the step look, cards are put and runs are recorded: the same places
        # as the deployment's, whatever the worker's own defaults are.
        "METAFLOW_DEFAULT_DATASTORE": task.datastore,
        f"METAFLOW_DATASTORE_SYSROOT_{task.datastore.upper()}": _sysroot(task),
        "METAFLOW_DEFAULT_METADATA": option(task, "metadata"),
        # Whose run it is: tags user: or production:, current.username, @project's user branch.
        "METAFLOW_USER": task.owner or environ.get("METAFLOW_USER"),
        "METAFLOW_OWNER": task.owner,
        "METAFLOW_PRODUCTION_TOKEN": task.production_token,
        # The run's tag runtime:airflow.
        "METAFLOW_RUNTIME_NAME": RUNTIME_NAME,
        "METAFLOW_FLOW_NAME": task.flow,
        "METAFLOW_RUN_ID": task.run_id,
        "METAFLOW_STEP_NAME": task.step,
        **attempt_variables(task),
        "MF_DATASTORE": task.datastore,
        "METAFLOW_EXTRACTED_ROOT": str(root),
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "PYTHONUNBUFFERED": "x",
    }
    if task.in_shell:
        # uv would install into the environment of the launcher's Python.
        ours["VIRTUAL_ENV"] = None
    if ours["METAFLOW_DEFAULT_METADATA"] == "service":
        # Metaflow gives its service half a minute, and fails the step then.
        requests = service_requests(patience(environ))
        variables.setdefault("METAFLOW_SERVICE_RETRY_COUNT", str(requests))
    for name, value in ours.items():
        if value:
            variables[name] = value
        else:
            variables.pop(name, None)
    return variables


def attempt_variables(task: StepTask) -> dict[str, str]:
    """Those that tell one iteration of a loop from the next."""
    return {
        "METAFLOW_ATTEMPT_NUMBER": str(task.attempt),
        RETRY_COUNT_VARIABLE: task.env.get(RETRY_COUNT_VARIABLE, str(task.attempt)),
        "MF_PATHSPEC": f"{task.flow}/{task.pathspec}",
        "MF_ATTEMPT": str(task.attempt),
    }


def option(task: StepTask, name: str) -> str | None:
    """The value of a top-level option, given as --name=value or --name value."""
    found = None
    for index, each in enumerate(task.options):
        if each.startswith(f"--{name}="):
            found = each.partition("=")[2]
        elif each == f"--{name}" and index + 1 < len(task.options):
            found = task.options[index + 1]
    return found


def _sysroot(task: StepTask) -> str:
    # The local datastore's root is the folder .metaflow inside the sysroot.
    if task.datastore == "local":
        return str(Path(task.datastore_root).parent)
    return task.datastore_root

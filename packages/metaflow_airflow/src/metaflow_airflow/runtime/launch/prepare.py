"""What stands before a step: its code package, the package's own Metaflow, the datastore."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...compat.botocore import share_service_models
from ...wire.task import StepTask
from ..code.package import prepare_code
from ..flow.import_metaflow import import_metaflow
from ..flow.s3op import bound_workers
from ..flow.saving import save_small_here
from ..flow.step_variables import attempt_variables, step_variables
from ..flow.task_store import TaskStore
from .child_program import clear_main


@dataclass(frozen=True)
class Prepared:
    """What a child needs. environ is the step's whole environment."""

    task: StepTask
    environ: Mapping[str, str]
    store: TaskStore


def prepare(
    task: StepTask, host: Path, folder: Path, say: Callable[[str], None]
) -> Mapping[str, str]:
    """Make this process one from which the flow's command line can be forked.

    Args:
        host: where launchers keep things. folder: of this attempt; its code goes there.

    Returns:
        The step's whole environment.

    Raises:
        LaunchError: the step cannot run here; the text says why.
    """
    if task.datastore == "s3":
        share_service_models()
    root = prepare_code(task, host, folder, say)
    # Keeps Metaflow from announcing that it makes this folder.
    (root / ".metaflow").mkdir(exist_ok=True)
    environ = step_variables(task, root, os.environ)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(root)
    clear_main()
    import_metaflow(task, root)
    if task.datastore == "s3":
        save_small_here(TaskStore(task).storage)
        environ = bound_workers(environ)
    return environ


def claim(task: StepTask, environ: Mapping[str, str]) -> Prepared:
    """Take the attempt's place in the datastore.

    Raises:
        LaunchError: a later attempt is there.
    """
    store = TaskStore(task)
    store.claim_attempt()
    if task.attempt > task.max_user_code_retries and store.follows_ended():
        # A running task was cleared, which leaves Airflow's count of tries as it was: whoever
        # asks for a step anew does not mean @catch's fallback.
        task = replace(task, max_user_code_retries=task.attempt)
    return Prepared(task, {**environ, **attempt_variables(task)}, store)

"""What stands before a step: its folder, its code package, the package's own Metaflow."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ...wire.task import StepTask
from ..code.package import prepare_code
from ..failures import LaunchError
from ..flow.environ import import_path, option, step_variables
from ..flow.s3op import bound_workers
from ..flow.saving import save_small_here
from ..flow.service_models import share_service_models
from ..flow.task_store import TaskStore
from ..output.log_file import LogFile
from .child import clear_main

if TYPE_CHECKING:
    from ..output.upload import LogUploader


class Work:
    """The private folder of one attempt: log files, the step's report, its code.

    Args:
        host: folder in which it is made.
    """

    def __init__(self, host: Path) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="step-", dir=host))
        self.stdout = LogFile(self.directory / "stdout")
        self.stderr = LogFile(self.directory / "stderr")
        self.report = self.directory / "report"

    def close_logs(self) -> None:
        """End the logs' last lines."""
        self.stdout.close()
        self.stderr.close()

    def remove(self) -> None:
        """Remove the folder with all that the step left in it."""
        os.chdir("/")
        shutil.rmtree(self.directory, ignore_errors=True)


@dataclass
class Prepared:
    """What a child needs. environ is the step's whole environment, launcher_main just kept."""

    task: StepTask
    work: Work
    environ: Mapping[str, str]
    store: TaskStore
    launcher_main: ModuleType
    uploader: LogUploader | None = None


def prepare(task: StepTask, host: Path, work: Work, say: Callable[[str], None]) -> Prepared:
    """Make this process one from which the flow's command line can be forked.

    Raises:
        LaunchError: the step cannot run here; the text says why.
    """
    if task.datastore == "s3":
        share_service_models()
    root = prepare_code(task, host, work.directory, say)
    # Keeps Metaflow from announcing that it makes this folder.
    (root / ".metaflow").mkdir(exist_ok=True)
    environ = step_variables(task, root, work.report, os.environ)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(root)
    launcher_main = clear_main()
    _import_metaflow(task, root)
    store = TaskStore(task)
    if task.datastore == "s3":
        save_small_here(store.storage)
        environ = bound_workers(environ)
    store.claim_attempt()
    if task.attempt > task.max_user_code_retries and store.follows_ended():
        # A running task was cleared, which leaves Airflow's count of tries as it was: whoever
        # asks for a step anew does not mean @catch's fallback.
        task = replace(task, max_user_code_retries=task.attempt)
    return Prepared(task, work, environ, store, launcher_main)


# Their options are made of the flow that is current when they are imported: @project's --branch,
# the parameters of init. The child imports them again, for its flow; what they import stays.
_COMMANDS = (
    "metaflow.cli",
    "metaflow.cli_components.run_cmds",
    "metaflow.cli_components.init_cmd",
)


def _forget_commands() -> None:
    for name in _COMMANDS:
        if sys.modules.pop(name, None):
            parent, _, leaf = name.rpartition(".")
            vars(sys.modules[parent]).pop(leaf, None)


def _import_metaflow(task: StepTask, root: Path) -> None:
    # As Python itself would: the script's folder, then PYTHONPATH.
    first = [str(root), *os.environ["PYTHONPATH"].split(os.pathsep)]
    sys.path[:] = [*first, *(each for each in sys.path if each not in first)]
    sys.argv = [task.script]
    # The modules of the shared copy are compiled once for all steps of this host.
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        metaflow = importlib.import_module("metaflow")
        importlib.import_module("metaflow.cli")
        _forget_commands()
        config = importlib.import_module("metaflow.metaflow_config")
    except ImportError as error:
        raise LaunchError(
            f"Metaflow cannot be imported by {sys.executable}: {error}. This Python needs what "
            f"Metaflow and the flow need (code package {task.code_url})."
        ) from error
    finally:
        sys.dont_write_bytecode = writes
    if import_path(task, root) not in Path(metaflow.__file__ or "").parents:
        raise LaunchError(
            f"Metaflow was imported from {metaflow.__file__}, not from the code package: "
            f"something in {sys.executable} imports it before any program starts."
        )
    metadata = option(task, "metadata") or config.DEFAULT_METADATA
    if metadata == "local" and not config.DATASTORE_SYSROOT_LOCAL:
        raise LaunchError(
            "The run's metadata would go into the step's own folder and be lost: set "
            "METAFLOW_DATASTORE_SYSROOT_LOCAL to a folder that all workers share, or use a "
            "metadata service."
        )

"""Makes the launcher a process that has the code package's own Metaflow in memory."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

from ...compat import metaflow as upstream
from ...wire.task import StepTask
from ..failures import LaunchError
from .step_variables import import_path, option


def import_metaflow(task: StepTask, root: Path) -> None:
    """Import it, and put the step's import path in place.

    Raises:
        LaunchError: it cannot be imported, is another one, or would lose the run's metadata.
    """
    # As Python itself would: the script's folder, then PYTHONPATH.
    first = [str(root), *os.environ["PYTHONPATH"].split(os.pathsep)]
    sys.path[:] = [*first, *(each for each in sys.path if each not in first)]
    sys.argv = [task.script]
    # The modules of the shared copy are compiled once for all steps of this host.
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        metaflow = importlib.import_module("metaflow")
        importlib.import_module("metaflow.cli")
        upstream.forget_flow_dependent_modules()
        upstream.keep_null()
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

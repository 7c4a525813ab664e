"""Calls an exit hook of a flow. Runs in a child, with Metaflow."""

from __future__ import annotations

from ...compat import metaflow as upstream
from ...wire.task import StepTask


def call_hook(task: StepTask, name: str) -> int:
    """Call a function of the flow's code, with the run if it takes one.

    Args:
        name: import path, or a function's name in the flow's file.
    """
    upstream.call_exit_hook(task.script, name, f"{task.flow}/{task.run_id}")
    return 0

"""Copies a finished task of another run into this one (resume). Runs in a child, with Metaflow."""

from __future__ import annotations

from typing import Any

from ...compat import metaflow as upstream
from ...wire.task import Init, StepTask
from .step_variables import option


def clone_parameters(task: StepTask, init: Init, origin: str) -> int:
    """Make the run's `_parameters` task a copy of another one.

    Args:
        origin: run/_parameters/task of the other.
    """
    from metaflow.metadata_provider import MetaDatum

    datastore, metadata = _open(task)
    metadata.register_run_id(task.run_id)
    upstream.write_clone(task.flow, origin, (task.run_id, init.task_id, 0), datastore, metadata)
    copy = datastore.get_task_datastore(task.run_id, upstream.PARAMETERS, init.task_id, attempt=0)
    graph = upstream.artifacts(copy, upstream.GRAPH)[upstream.GRAPH]
    # As `init` does, for clients that look for the run's first and last step.
    metadata.register_metadata(
        task.run_id,
        upstream.PARAMETERS,
        init.task_id,
        [
            MetaDatum(field=field, value=graph[field], type="graph_structure", tags=[])
            for field in ("start_step", "end_step")
            if field in graph
        ],
    )
    return 0


def clone_task(task: StepTask, origin: str) -> int:
    """Make the task a copy of another one.

    Args:
        origin: run/step/task of the other.
    """
    datastore, metadata = _open(task)
    source = datastore.get_task_datastore(*origin.split("/"))
    if task.clone and task.clone.parameters:
        values = datastore.get_task_datastore(
            task.run_id, upstream.PARAMETERS, task.clone.parameters
        )
        for name in _parameter_names(values):
            upstream.share_artifact(values, source, name)
    copy = (task.run_id, task.task_id, task.attempt)
    upstream.write_clone(task.flow, origin, copy, datastore, metadata, source)
    print(f"copied from {origin}, which had finished")
    return 0


def _open(task: StepTask) -> tuple[Any, Any]:
    """The flow's datastore and metadata provider."""
    metadata = upstream.open_metadata(task.flow, option(task, "metadata") or "local")
    metadata.add_sticky_tags(tags=task.tags)
    storage = upstream.storage_of(task.datastore)
    return upstream.open_datastore(task.flow, storage, task.datastore_root, metadata), metadata


def _parameter_names(values: Any) -> list[str]:
    graph = upstream.artifacts(values, upstream.GRAPH)[upstream.GRAPH]
    names = [parameter["name"] for parameter in graph["parameters"]]
    return [name for name in names if name in values]

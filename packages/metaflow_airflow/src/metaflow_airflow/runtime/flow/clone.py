"""Copies a finished task of another run into this one (resume). Runs in a child, with Metaflow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ...wire.task import Init, StepTask
from .environ import option

PARAMETERS = "_parameters"


def clone_parameters(task: StepTask, init: Init, origin: str) -> int:
    """Make the run's `_parameters` task a copy of another one.

    Args:
        origin: run/_parameters/task of the other.
    """
    from metaflow.metadata_provider import MetaDatum

    datastore, metadata = _open(task)
    metadata.register_run_id(task.run_id)
    _copy(task, datastore, metadata, origin, init.task_id)
    copy = datastore.get_task_datastore(task.run_id, PARAMETERS, init.task_id, attempt=0)
    graph = dict(copy.load_artifacts(["_graph_info"]))["_graph_info"]
    # As `init` does, for clients that look for the run's first and last step.
    metadata.register_metadata(
        task.run_id,
        PARAMETERS,
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
        values = datastore.get_task_datastore(task.run_id, PARAMETERS, task.clone.parameters)
        for name in _parameter_names(values):
            # The artifact itself is not copied: both point at the same content.
            source._objects[name] = values._objects[name]
            source._info[name] = values._info.get(name)
    _copy(task, datastore, metadata, origin, task.task_id, source, attempt=task.attempt)
    print(f"copied from {origin}, which had finished")
    return 0


def _open(task: StepTask) -> tuple[Any, Any]:
    """The flow's datastore and metadata provider."""
    from metaflow.datastore import FlowDataStore
    from metaflow.metaflow_environment import MetaflowEnvironment
    from metaflow.plugins import DATASTORES, LOGGING_SIDECARS, METADATA_PROVIDERS, MONITOR_SIDECARS

    flow = SimpleNamespace(name=task.flow)
    environment = MetaflowEnvironment(flow)
    kind = option(task, "metadata") or "local"
    metadata = next(each for each in METADATA_PROVIDERS if kind == each.TYPE)(
        environment,
        flow,
        LOGGING_SIDECARS["nullSidecarLogger"](flow=flow, env=environment),
        MONITOR_SIDECARS["nullSidecarMonitor"](flow=flow, env=environment),
    )
    metadata.add_sticky_tags(tags=task.tags)
    storage = next(each for each in DATASTORES if task.datastore == each.TYPE)
    datastore = FlowDataStore(
        task.flow, None, metadata=metadata, storage_impl=storage, ds_root=task.datastore_root
    )
    return datastore, metadata


def _copy(
    task: StepTask,
    datastore: Any,
    metadata: Any,
    origin: str,
    task_id: str,
    source: Any = None,
    attempt: int = 0,
) -> None:
    """Metaflow's own copy of a task; `source` stands in for what it would read at origin."""
    from metaflow.clone_util import clone_task_helper

    origin_run, step, origin_task = origin.split("/")
    clone_task_helper(
        task.flow,
        origin_run,
        task.run_id,
        step,
        origin_task,
        task_id,
        datastore,
        metadata,
        origin_ds_set=SimpleNamespace(get_with_pathspec=lambda _: source) if source else None,
        attempt_id=attempt,
    )


def _parameter_names(values: Any) -> list[str]:
    graph = dict(values.load_artifacts(["_graph_info"]))["_graph_info"]
    names = [parameter["name"] for parameter in graph["parameters"]]
    return [name for name in names if name in values._objects]

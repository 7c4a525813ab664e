"""Takes the parameters of another run for this one (resume). Runs in a child, with Metaflow."""

from __future__ import annotations

from types import SimpleNamespace

from .environ import option
from .task import Init, StepTask


def clone_parameters(task: StepTask, init: Init, pathspec: str) -> int:
    """Make the run's `_parameters` task a copy of another one.

    Args:
        pathspec: run/_parameters/task of the other.
    """
    from metaflow.clone_util import clone_task_helper
    from metaflow.datastore import FlowDataStore
    from metaflow.metadata_provider import MetaDatum
    from metaflow.metaflow_environment import MetaflowEnvironment
    from metaflow.plugins import DATASTORES, LOGGING_SIDECARS, METADATA_PROVIDERS, MONITOR_SIDECARS

    origin_run, _, origin_task = pathspec.split("/")
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
    metadata.register_run_id(task.run_id)
    clone_task_helper(
        task.flow,
        origin_run,
        task.run_id,
        "_parameters",
        origin_task,
        init.task_id,
        datastore,
        metadata,
    )
    copy = datastore.get_task_datastore(task.run_id, "_parameters", init.task_id, attempt=0)
    graph = dict(copy.load_artifacts(["_graph_info"]))["_graph_info"]
    # As `init` does, for clients that look for the run's first and last step.
    metadata.register_metadata(
        task.run_id,
        "_parameters",
        init.task_id,
        [
            MetaDatum(field=field, value=graph[field], type="graph_structure", tags=[])
            for field in ("start_step", "end_step")
            if field in graph
        ],
    )
    return 0

"""What the bridge relies on in Metaflow beyond its documentation. Read in 2.19.39.

Metaflow is imported inside each function: the launcher imports it from the step's code package, and
not before that is there.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from io import BytesIO
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

PARAMETERS = "_parameters"
"""The step whose one task holds a run's parameters."""

TASK_OK, TRANSITION, NUM_SPLITS, VALUES, GRAPH = (
    "_task_ok",
    "_transition",
    "_foreach_num_splits",
    "_foreach_values",
    "_graph_info",
)
"""Artifacts of each task: whether it ended well; (next steps, foreach) as self.next() had it; how
many items a foreach step made, and their values as texts; the flow's graph."""

FLOW_DEPENDENT_MODULES = (
    "metaflow.cli",
    "metaflow.cli_components.run_cmds",
    "metaflow.cli_components.init_cmd",
)
"""Their options are made of the flow that is current when they are imported: @project's --branch,
the parameters of init."""


def forget_flow_dependent_modules() -> None:
    """Have them imported again by whoever imports them next; what they import stays."""
    for name in FLOW_DEPENDENT_MODULES:
        if sys.modules.pop(name, None):
            parent, _, leaf = name.rpartition(".")
            vars(sys.modules[parent]).pop(leaf, None)


def configuration(environment: Mapping[str, str]) -> dict[str, Any]:
    """What Metaflow's configuration file says to a process with this environment.

    `init_config` reads the variables of its own process; what is imported has read them before.
    """
    from metaflow.metaflow_config_funcs import init_config

    with patch.dict(os.environ, environment):
        return dict(init_config())


def storage_of(kind: str) -> Any:
    """The storage class of a type of datastore ("s3"); None if this Metaflow has none.

    `metaflow.plugins.DATASTORES` is what the command line looks its --datastore up in.
    """
    from metaflow.plugins import DATASTORES

    return next((each for each in DATASTORES if kind == each.TYPE), None)


def open_datastore(flow: str, storage: Any, root: str, metadata: Any = None) -> Any:
    """A flow's datastore, as the command line opens it; of its environment nothing is asked."""
    from metaflow.datastore import FlowDataStore

    return FlowDataStore(flow, None, metadata=metadata, storage_impl=storage, ds_root=root)


def open_metadata(flow: str, kind: str) -> Any:
    """The metadata provider of a type, as the command line makes it, without its sidecars."""
    from metaflow.metaflow_environment import MetaflowEnvironment
    from metaflow.plugins import LOGGING_SIDECARS, METADATA_PROVIDERS, MONITOR_SIDECARS

    named = SimpleNamespace(name=flow)
    environment = MetaflowEnvironment(named)
    return next(each for each in METADATA_PROVIDERS if kind == each.TYPE)(
        environment,
        named,
        LOGGING_SIDECARS["nullSidecarLogger"](flow=named, env=environment),
        MONITOR_SIDECARS["nullSidecarMonitor"](flow=named, env=environment),
    )


def has_begun(task: Any) -> bool:
    """Whether an attempt's task datastore has the mark of its beginning."""
    return bool(task.has_metadata(task.METADATA_ATTEMPT_SUFFIX))


def began(task: Any) -> float:
    """Unix time of that mark, of a task datastore opened to read."""
    name = task.METADATA_ATTEMPT_SUFFIX
    return float(task.load_metadata([name])[name]["time"])


def attempt_metadata(
    datastore: Any, run_id: str, step: str, task_id: str, attempt: int, name: str
) -> Any:
    """What save_metadata has written beside an attempt, which need not have ended.

    To be read it wants a datastore opened to read, which without `data_metadata` refuses an attempt
    that has not.
    """
    task = datastore.get_task_datastore(run_id, step, task_id, attempt=attempt, data_metadata={})
    return task.load_metadata([name])[name]


def done_attempt(datastore: Any, run_id: str, step: str, task_id: str, attempt: int) -> Any:
    """The task datastore of an attempt, to read; None unless Metaflow has marked it as done.

    Asks for the mark alone: without `data_metadata`, a datastore opened to read looks at all
    attempts first.
    """
    here = functools.partial(datastore.get_task_datastore, run_id, step, task_id, attempt=attempt)
    marks = here(data_metadata={})
    if not marks.has_metadata(marks.METADATA_DONE_SUFFIX):
        return None
    name = marks.METADATA_DATA_SUFFIX
    return here(data_metadata=marks.load_metadata([name])[name])


def artifacts(task: Any, *names: str) -> dict[str, Any]:
    """Those of the artifacts that a task has; the class can answer for one at a time only."""
    return dict(task.load_artifacts([name for name in names if name in task]))


def share_artifact(source: Any, target: Any, name: str) -> None:
    """Make a task's artifact the same content as another task's, in memory.

    `_objects` and `_info` of a TaskDataStore are what its clone writes down: nothing is copied.
    """
    target._objects[name] = source._objects[name]
    target._info[name] = source._info.get(name)


def write_clone(
    flow: str,
    origin: str,
    copy: tuple[str, str, int],
    datastore: Any,
    metadata: Any,
    source: Any = None,
) -> None:
    """Metaflow's own copy of a task, of which resume is made.

    Args:
        origin: run/step/task. copy: run, task and attempt of the copy.
        source: stands in for what it would read at origin.
    """
    from metaflow.clone_util import clone_task_helper

    origin_run, step, origin_task = origin.split("/")
    run_id, task_id, attempt = copy
    clone_task_helper(
        flow,
        origin_run,
        run_id,
        step,
        origin_task,
        task_id,
        datastore,
        metadata,
        origin_ds_set=SimpleNamespace(get_with_pathspec=lambda _: source) if source else None,
        attempt_id=attempt,
    )


def replace_save_bytes(storage: Any, make: Callable[[Callable[..., Any]], Any]) -> None:
    """Give a storage class another save_bytes(self, items, overwrite, len_hint), made of its own.

    All that a task writes goes through it: artifacts, metadata, logs, code packages.
    """
    storage.save_bytes = make(storage.save_bytes)


def call_exit_hook(script: str, name: str, run_pathspec: str) -> None:
    """Find a function as upstream's own schedulers do and call it, with the run if it takes one.

    Args:
        name: import path, or a function's name in the script.
    """
    from metaflow.plugins.exit_hook import exit_hook_script

    exit_hook_script.main(script, name, run_pathspec)


def task_log_source() -> str:
    """Under which name the client looks for what a task itself wrote."""
    from metaflow.mflog import TASK_LOG_SOURCE

    return str(TASK_LOG_SOURCE)


def log_upload_delay(seconds: float) -> float:
    """Seconds between two uploads of a log that is so old: often at first, seldom later."""
    from metaflow.mflog import update_delay

    return float(update_delay(seconds))


def save_text(datastore: Any, path: str, text: str) -> None:
    """Write a file below a datastore's root, over what is there; its own functions never replace.

    `_storage_impl` is the storage that all of a FlowDataStore's functions write to.
    """
    datastore._storage_impl.save_bytes([(path, BytesIO(text.encode()))], overwrite=True)


def keep_null(kind: Any = None) -> None:
    """Let a type of click's (JSONType unless given) have JSON's null as a value.

    Click takes None for "not given"; a DelayedEvaluationParameter is evaluated after click.
    """
    from metaflow.parameters import DelayedEvaluationParameter, JSONType

    convert = (kind := kind or JSONType).convert

    def converted(value: Any, param: Any, ctx: Any) -> Any:
        if (found := convert(value, param, ctx)) is not None:
            return found
        return DelayedEvaluationParameter(param.name, "default", lambda return_str: None)

    kind.convert = converted

"""The task's place in Metaflow's datastore, as the launcher uses it. Needs Metaflow."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from ...compat import metaflow as upstream
from ...wire.ids import MAX_ATTEMPTS, former_task_id, next_generation
from ...wire.task import ASSETS, Clone, Init, StepTask
from ..failures import LaunchError, UnavailableError
from .proof import StoredTask, proven

_INIT_DONE = "airflow_init_done"
_ENDED = "airflow_ended_from_outside"
_TRY = "airflow_try"
_MAX_TEXT = 300
_MOST_VALUES = 10_000  # of a foreach's items; Airflow maps over 1,024 unless told otherwise
_REFUSALS = ("MetaflowS3AccessDenied",)


@dataclass(frozen=True)
class Finished:
    """A task of another run that ended well.

    Args:
        pathspec: run/step/task. began: Unix time of its last attempt.
    """

    pathspec: str
    began: float
    stored: StoredTask


class TaskStore:
    """The datastore of one attempt.

    Raises:
        LaunchError: a datastore that this Metaflow does not have.
        UnavailableError: it does not answer (all methods).
    """

    def __init__(self, task: StepTask) -> None:
        self.storage: Any = upstream.storage_of(task.datastore)
        if self.storage is None:
            raise LaunchError(f"This Metaflow has no datastore of type {task.datastore!r}.")
        self._task = task
        self._store: Any = upstream.open_datastore(task.flow, self.storage, task.datastore_root)

    def claim_attempt(self) -> None:
        """Make the attempts of the task one row, with this one at its end.

        Readers look for attempts from 0 on and stop at the first gap: after an attempt that ended
        before it had written anything, they would take an older attempt's data for the task's.

        Raises:
            LaunchError: a later attempt is there.
        """
        task = self._task
        with _answers(task):
            later = task.attempt + 1
            if later < MAX_ATTEMPTS and upstream.has_begun(self._attempt(later)):
                raise LaunchError(
                    f"{task.flow}/{task.pathspec} has an attempt {later} already, so attempt "
                    f"{task.attempt} cannot run any more: this DAG run has the name of an older, "
                    "deleted one, or an old try woke up. Trigger the DAG with another run id."
                )
            for earlier in range(task.attempt):
                store = self._attempt(earlier)
                if not upstream.has_begun(store):
                    store.init_task()

    def mark_ended(self) -> None:
        """Say that somebody ended this attempt: it was not its code that failed."""
        with _answers(self._task):
            self._attempt(self._task.attempt).save_metadata({_ENDED: {}})

    def was_ended(self) -> bool:
        """Whether somebody ended this attempt."""
        with _answers(self._task):
            return bool(self._attempt(self._task.attempt).has_metadata(_ENDED))

    def has_begun(self) -> bool:
        """Whether this attempt has."""
        with _answers(self._task):
            return upstream.has_begun(self._attempt(self._task.attempt))

    def mark_try(self, number: int) -> None:
        """Say in which of Airflow's tries (0-based) this attempt runs."""
        with _answers(self._task):
            self._attempt(self._task.attempt).save_metadata({_TRY: {"number": number}})

    def in_try(self) -> int:
        """In which of Airflow's tries (0-based) this attempt ran, which has begun."""
        with _answers(self._task):
            task = self._task
            found = upstream.attempt_metadata(
                self._store, task.run_id, task.step, task.task_id, task.attempt, _TRY
            )
            return int(found["number"])

    def follows_ended(self) -> bool:
        """Whether somebody ended the attempt before this one."""
        before = self._task.attempt - 1
        with _answers(self._task):
            return before >= 0 and bool(self._attempt(before).has_metadata(_ENDED))

    def is_initialized(self, init: Init) -> bool:
        """Whether the run's parameters are there, written to their end."""
        with _answers(self._task):
            return bool(self._parameters(init).has_metadata(_INIT_DONE))

    def has_parameters(self, init: Init) -> bool:
        """Whether Metaflow has marked the `_parameters` task as done."""
        with _answers(self._task):
            found = upstream.done_attempt(
                self._store, self._task.run_id, upstream.PARAMETERS, init.task_id, 0
            )
            return found is not None

    def mark_initialized(self, init: Init) -> None:
        """Say that `init` ended well. Metaflow's own mark stands before the last of its work."""
        with _answers(self._task):
            self._parameters(init).save_metadata({_INIT_DONE: {}})

    def save_logs(self, stdout: Path | None, stderr: Path | None) -> None:
        """Bring the log files of the attempt to where clients look for them."""
        files = {"stdout": stdout, "stderr": stderr}
        self._attempt(self._task.attempt).save_logs(
            upstream.task_log_source(), {stream: path for stream, path in files.items() if path}
        )

    def stored(self) -> StoredTask | None:
        """This attempt, once it has ended; None unless Metaflow has marked it as done."""
        task = self._task
        with _answers(task):
            found = upstream.done_attempt(
                self._store, task.run_id, task.step, task.task_id, task.attempt
            )
            return _read(found, task.step) if found else None

    def find_finished(self, clone: Clone) -> Finished | None:
        """The task to copy: the last generation of it, if that ended well and is not stale."""
        with _answers(self._task):
            pathspec = self._last_generation(clone.pathspec)
            if pathspec is None:
                return None
            store = self._finished(pathspec)
            if store is None:
                return None
            began, stored = upstream.began(store), _read(store, self._task.step)
            if not proven(self._task.step, stored).ok or began < clone.inputs_began:
                return None
            return Finished(pathspec, began, stored)

    def parameters_of(self, run_id: str) -> str:
        """run/_parameters/task of another run, the newest one.

        Raises:
            LaunchError: that run has none.
        """
        with _answers(self._task):
            found = self._store.get_task_datastores(run_id, steps=[upstream.PARAMETERS])
            if not found:
                raise LaunchError(
                    f"Run {self._task.flow}/{run_id} has no parameters in "
                    f"{self._task.datastore_root}: there is nothing to resume. See: airflow "
                    "list-runs"
                )
            return str(max(found, key=upstream.began).pathspec)

    def _last_generation(self, pathspec: str) -> str | None:
        """The task, or the last one that took over from it after a clear; None: never begun."""
        run_id, step, first = pathspec.split("/")
        for name in (first, former_task_id(first)):
            found = None
            for generation in count():
                task_id = next_generation(name, generation)
                store = self._store.get_task_datastore(run_id, step, task_id, attempt=0, mode="w")
                if not upstream.has_begun(store):
                    break
                found = f"{run_id}/{step}/{task_id}"
            if found:
                return found
        return None

    def _finished(self, pathspec: str) -> Any:
        """The task's last attempt, if it has ended; else None."""
        from metaflow.datastore.exceptions import DataException

        try:
            return self._store.get_task_datastore(*pathspec.split("/"))
        except DataException:
            return None

    def _attempt(self, attempt: int) -> Any:
        task = self._task
        return self._store.get_task_datastore(
            task.run_id, task.step, task.task_id, attempt=attempt, mode="w"
        )

    def _parameters(self, init: Init) -> Any:
        return self._store.get_task_datastore(
            self._task.run_id, upstream.PARAMETERS, init.task_id, attempt=0, mode="w"
        )


def _read(store: Any, step: str) -> StoredTask:
    found = upstream.artifacts(
        store,
        upstream.TASK_OK,
        upstream.TRANSITION,
        upstream.NUM_SPLITS,
        upstream.VALUES,
        upstream.GRAPH,
        ASSETS,
    )
    node = found[upstream.GRAPH]["steps"][step]
    went_to = tuple((found.get(upstream.TRANSITION) or [()])[0])
    kind = node["type"]
    values = found.get(upstream.VALUES) if kind == "split-foreach" else None
    return StoredTask(
        ok=bool(found.get(upstream.TASK_OK)),
        kind=kind,
        went_to=went_to,
        leads_to=tuple(node["next"]),
        cardinality=found.get(upstream.NUM_SPLITS) if kind == "split-foreach" else None,
        choice=went_to[0] if kind == "split-switch" and went_to else None,
        values=tuple(map(str, values)) if values and len(values) <= _MOST_VALUES else None,
        assets=found.get(ASSETS),
    )


class _answers:
    """Turns whatever a storage raises into one sentence."""

    def __init__(self, task: StepTask) -> None:
        self._task = task

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if type(error).__name__ in _REFUSALS:
            raise LaunchError(
                f"The datastore {self._task.datastore_root} refuses access ({error}): check the "
                "worker's credentials, or the connection's, and what they may read and write."
            ) from error
        if isinstance(error, Exception) and not isinstance(error, LaunchError):
            raise UnavailableError(
                f"The datastore {self._task.datastore_root} does not answer: "
                f"{type(error).__name__}: {' '.join(str(error).split())[:_MAX_TEXT]}."
            ) from error

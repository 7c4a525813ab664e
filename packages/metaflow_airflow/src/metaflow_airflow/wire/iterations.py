"""The iterations of a loop: which Metaflow task each of them is. Pure.

A switch step that chooses itself runs again, with its own last task as input, until it chooses
another step. All iterations run in one Airflow task, one after the other; a retry goes on with the
iteration that failed. Iteration i begins with the try that ended iteration i - 1: from that try on
it has the retries that its step asks for, and its attempts are its own.

    try 0: t done, t.i1 done, t.i2 fails      try 1: t.i2 (its attempt 1) done, t.i3 done: the end
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .ids import MAX_ATTEMPTS, iteration_task_id, next_generation
from .task import RETRY_COUNT_VARIABLE, Clone, Loop, StepTask


@dataclass(frozen=True)
class Iteration:
    """Where a loop stands.

    Args:
        index: of the iteration, 0-based. begin: the first try that counts for it, 0-based.
        input_path: run/step/task of the iteration before it; None for the first one.
        may_copy: whether all before it were copies (resume).
        inputs_began: Unix time at which the original of the one before it had begun.
    """

    index: int
    begin: int
    input_path: str | None = None
    may_copy: bool = True
    inputs_began: float = 0.0

    def after(self, task: StepTask, number: int, copied: float | None) -> Iteration:
        """The next one.

        Args:
            task: of this one, as it ended. number: the try in which it did.
            copied: when its original had begun, if it is a copy.
        """
        return Iteration(
            index=self.index + 1,
            begin=number,
            input_path=task.pathspec,
            may_copy=self.may_copy and copied is not None,
            inputs_began=copied or 0.0,
        )


def first_iteration(loop: Loop) -> Iteration:
    """Where a loop begins."""
    return Iteration(0, loop.begin)


def task_at(
    task: StepTask,
    loop: Loop,
    iteration: Iteration,
    attempts: int,
    failed: int = 0,
    lost: int = 0,
) -> StepTask:
    """An attempt of an iteration.

    Args:
        task: of iteration 0. attempts: that it has had before, ever. failed: since it began.
        lost: to the infrastructure, since then.
    """
    generation, attempt = divmod(attempts, MAX_ATTEMPTS)
    left = loop.user_retries - failed
    if loop.user_retries >= loop.retries:
        left = max(left, 0)
    this = replace(
        task,
        task_id=next_generation(iteration_task_id(loop.first, iteration.index), generation),
        attempt=attempt,
        max_user_code_retries=attempt + left,
        env={**task.env, RETRY_COUNT_VARIABLE: str(max(attempt - lost, 0))},
        clone=_clone(task.clone, iteration),
        loop=None,
    )
    if iteration.input_path is None:
        return this
    return replace(this, input_paths=(iteration.input_path,), split_index=None, init=None)


def _clone(first: Clone | None, iteration: Iteration) -> Clone | None:
    if first is None or not iteration.may_copy:
        return None
    if iteration.index == 0:
        return first
    run, step, task_id = first.pathspec.split("/")
    return replace(
        first,
        pathspec=f"{run}/{step}/{iteration_task_id(task_id, iteration.index)}",
        inputs_began=iteration.inputs_began,
    )

"""The iterations of a loop: which Metaflow task each of them is. Pure.

A switch step that chooses itself runs again, with its own last task as input, until it chooses
another step. All iterations run in one Airflow task, one after the other; a retry goes on with the
iteration that failed. Iteration i begins with the try that ended iteration i - 1: from that try on
it has the retries that its step asks for.

    try 0: t done, t.i1 done, t.i2 fails      try 1: t.i2 (its attempt 1) done, t.i3 done: the end
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from .ids import MAX_ATTEMPTS, iteration_task_id, last_of_user, next_generation
from .task import Clone, Loop, StepTask


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


def earlier_tries(
    task: StepTask, loop: Loop, iteration: Iteration
) -> Iterator[tuple[int, StepTask]]:
    """The tries in which the iteration may have been done before this one, newest first."""
    for number in range(loop.number - 1, iteration.begin - 1, -1):
        yield number, task_at(task, loop, iteration, number)


def task_at(task: StepTask, loop: Loop, iteration: Iteration, number: int) -> StepTask:
    """The attempt that an iteration is in a try.

    Args:
        task: of iteration 0. number: the try, 0-based.
    """
    generation, attempt = divmod(number, MAX_ATTEMPTS)
    this = replace(
        task,
        task_id=next_generation(iteration_task_id(loop.first, iteration.index), generation),
        attempt=attempt,
        max_user_code_retries=last_of_user(
            number, iteration.begin, loop.retries, loop.user_retries
        ),
        clone=_clone(task.clone, iteration),
        loop=None,
    )
    if iteration.input_path is None:
        return this
    return replace(this, input_paths=(iteration.input_path,), split_index=None, init=None)


def is_last_try(loop: Loop, iteration: Iteration) -> bool:
    """Whether the iteration has no further attempt."""
    return loop.number - iteration.begin >= loop.retries


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

"""Runs the iterations of a loop, one after the other, in one launcher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ...wire.iterations import Iteration, first_iteration, is_last_try, task_at
from ...wire.task import Loop, StepResult, StepTask
from ..flow.proof import proven
from ..flow.task_store import TaskStore
from .child_program import ChildProgram

RunAttempt = Callable[[StepTask, str], StepResult | ChildProgram]
"""Runs one attempt, below a line of its log; in a forked child it returns what that is to do."""


def run_loop(
    task: StepTask, loop: Loop, run: RunAttempt, say: Callable[[str], None]
) -> StepResult | ChildProgram:
    """Run the step until it chooses another one; the result is that of the last iteration.

    What an earlier try has done since the task was cleared is not done again.

    Args:
        task: of iteration 0.
    """
    iteration = first_iteration(loop)
    while iteration.index < loop.most:
        attempts, last = _attempts(task, loop, iteration)
        if last is not None and (done := proven(task.step, last.store.stored())).ok:
            this, number = last.task, last.number
            say(f"Iteration {iteration.index}, {this.pathspec}, was done in try {number + 1}")
            result = replace(done, task_id=this.task_id)
        elif last is not None and last.store.was_ended():
            # A running task was cleared, which leaves Airflow's count of tries as it was.
            return run_loop(task, replace(loop, begin=loop.number), run, say)
        else:
            this, number = task_at(task, loop, iteration, attempts), loop.number
            TaskStore(this).mark_try(number)
            heading = f"Iteration {iteration.index}: Metaflow task {this.pathspec}"
            outcome = run(this, f"{heading}, attempt {this.attempt}")
            if isinstance(outcome, ChildProgram):
                return outcome
            result = replace(outcome, task_id=this.task_id)
            if not result.ok:
                return replace(result, final=is_last_try(loop, iteration) or None)
        if result.choice != task.step:
            return result
        iteration = iteration.after(this, number, result.copied)
    error = (
        f"step {task.step} chose itself again after {loop.most} iterations, the most that this "
        "deployment allows: let it end sooner, or export with a higher --max-iterations"
    )
    return StepResult(ok=False, exit_code=1, error=error, final=True)


@dataclass(frozen=True)
class _Attempt:
    """The newest attempt of an iteration, and Airflow's try in which it ran."""

    task: StepTask
    store: TaskStore
    number: int


def _attempts(task: StepTask, loop: Loop, iteration: Iteration) -> tuple[int, _Attempt | None]:
    """How many attempts the iteration has had, and the last one, unless a clear made it void."""
    attempts, newest = 0, None
    while True:
        this = task_at(task, loop, iteration, attempts)
        store = TaskStore(this)
        if not store.has_begun():
            break
        attempts, newest = attempts + 1, (this, store)
    if newest is None or (number := newest[1].in_try()) < iteration.begin:
        return attempts, None
    return attempts, _Attempt(*newest, number)

"""Runs the iterations of a loop, one after the other, in one launcher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ...wire.iterations import Iteration, first_iteration, task_at
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
        past = _look_back(task, loop, iteration)
        if past.done is not None:
            this, number, result = past.done
            say(f"Iteration {iteration.index}, {this.pathspec}, was done in try {number + 1}")
        elif past.was_ended:
            # A running task was cleared, which leaves Airflow's count of tries as it was.
            return run_loop(task, replace(loop, begin=loop.number), run, say)
        else:
            this = task_at(task, loop, iteration, past.attempts, past.failed, past.lost)
            number, name = loop.number, f"iteration {iteration.index}, {this.pathspec},"
            if past.failed > loop.retries:
                # Whoever killed its launcher left nobody to say that this was its last attempt.
                error = f"{name} has failed in each of its {past.failed} attempts: see their logs"
                return StepResult(
                    ok=False, exit_code=1, error=error, task_id=this.task_id, final=True
                )
            TaskStore(this).mark_try(number)
            outcome = run(this, f"Begin {name} attempt {this.attempt}")
            if isinstance(outcome, ChildProgram):
                return outcome
            result = replace(outcome, task_id=this.task_id)
            if not result.ok:
                return replace(result, final=past.failed >= loop.retries or None)
        if result.choice != task.step:
            return result
        iteration = iteration.after(this, number, result.copied)
    error = (
        f"step {task.step} chose itself again after {loop.most} iterations, the most that this "
        "deployment allows: let it end sooner, or export with a higher --max-iterations"
    )
    return StepResult(ok=False, exit_code=1, error=error, final=True)


@dataclass(frozen=True)
class _Past:
    """What the datastore knows of an iteration.

    Args:
        attempts: that there have been, ever. failed: since it began, the last ones.
        lost: since then, to the infrastructure.
        done: the attempt that has done it since, Airflow's try in which it ran, and its result.
        was_ended: somebody ended the last one.
    """

    attempts: int
    failed: int = 0
    lost: int = 0
    was_ended: bool = False
    done: tuple[StepTask, int, StepResult] | None = None


def _look_back(task: StepTask, loop: Loop, iteration: Iteration) -> _Past:
    begun: list[tuple[StepTask, TaskStore]] = []
    while (found := _begun(task, loop, iteration, len(begun))) is not None:
        begun.append(found)
    failed = lost = 0
    for this, store in reversed(begun):
        number = store.in_try()
        if number < iteration.begin:
            break  # of an earlier life, or of one that began anew since
        result = proven(task.step, store.stored())
        if result.ok:
            if failed:
                break  # and all of it began anew after that
            return _Past(len(begun), done=(this, number, replace(result, task_id=this.task_id)))
        if store.was_ended():
            return _Past(len(begun), failed, lost, was_ended=failed == 0)
        failed += number not in loop.lost
        lost += number in loop.lost
    return _Past(len(begun), failed, lost)


def _begun(
    task: StepTask, loop: Loop, iteration: Iteration, attempt: int
) -> tuple[StepTask, TaskStore] | None:
    this = task_at(task, loop, iteration, attempt)
    store = TaskStore(this)
    return (this, store) if store.has_begun() else None

"""Runs the iterations of a loop, one after the other, in one launcher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ...wire.iterations import Iteration, earlier_tries, first_iteration, is_last_try, task_at
from ...wire.task import Loop, StepResult, StepTask
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
        done = _done(task, loop, iteration)
        if done is not None:
            this, number, result = done
            say(f"Iteration {iteration.index}, {this.pathspec}, was done in try {number + 1}")
        else:
            this, number = task_at(task, loop, iteration, loop.number), loop.number
            if number > iteration.begin and TaskStore(this).follows_ended():
                # A running task was cleared, which leaves Airflow's count of tries as it was.
                return run_loop(task, replace(loop, begin=number), run, say)
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


def _done(
    task: StepTask, loop: Loop, iteration: Iteration
) -> tuple[StepTask, int, StepResult] | None:
    """The attempt that has done the iteration, and in which try; None: it is to be run."""
    for number, earlier in earlier_tries(task, loop, iteration):
        stored = TaskStore(earlier).stored()
        if stored is not None and stored.ok:
            result = StepResult(ok=True, exit_code=0, choice=stored.choice, task_id=earlier.task_id)
            return earlier, number, result
    return None

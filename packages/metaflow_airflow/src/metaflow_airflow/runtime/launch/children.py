"""The forks of one launcher, one after the other: init if the run has none yet, then the step."""

from __future__ import annotations

import functools
import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ...wire.exit_codes import DISALLOW_RETRY
from ...wire.handshake import DATASETS_VARIABLE
from ...wire.task import Init, StepResult
from ..flow import command_lines
from ..flow.call_hook import call_hook
from ..flow.clone import clone_parameters, clone_task
from ..flow.proof import proven
from ..flow.task_store import Finished
from .child_program import ChildProgram
from .fork import Fork
from .judge import judge
from .memory import read_memory
from .prepare import Prepared
from .watch_child import ChildWatch


class Children:
    """What one attempt forks.

    Args:
        folder: of the attempt. fork: makes a child. watch: follows it.
        protect: is told each child's process group.
        before_step: called once the step has been forked, after which nothing is any more.
    """

    def __init__(
        self,
        prepared: Prepared,
        folder: Path,
        fork: Fork,
        watch: ChildWatch,
        protect: Callable[[int], None],
        before_step: Callable[[], None],
    ) -> None:
        self._task, self._store = prepared.task, prepared.store
        self._datasets = folder / "datasets.json"
        self._environ = {**prepared.environ, DATASETS_VARIABLE: str(self._datasets)}
        self._folder = folder
        self._fork, self._watch, self._protect = fork, watch, protect
        self._before_step = before_step

    def run(self) -> StepResult | ChildProgram:
        """The result of the attempt; in a forked child what that is to do."""
        task, store = self._task, self._store
        if task.hooks:
            return self._call_hooks()
        missing = task.init if task.init and not store.is_initialized(task.init) else None
        copied = store.find_finished(task.clone) if task.clone else None
        if missing and (missing.clone or copied or not task.in_shell):
            outcome = self._initialize(missing)
            if isinstance(outcome, ChildProgram) or not outcome.ok:
                return outcome
            missing = None
        program = self._clone_program(copied) if copied else self._step_program(missing)
        self._datasets.unlink(missing_ok=True)  # of a loop's iteration before
        outcome = self._run_child(program, step=True)
        if isinstance(outcome, ChildProgram):
            return outcome
        if outcome.ok:
            outcome = _copy_result(copied) if copied else proven(task.step, store.stored())
            if not outcome.ok and outcome.error:
                self._watch.say(outcome.error)
            elif missing:
                store.mark_initialized(missing)
        return self._with_datasets(outcome)

    def _with_datasets(self, outcome: StepResult) -> StepResult:
        """The result with what the step, also one that failed, has named."""
        try:
            said = json.loads(self._datasets.read_text())
        except (FileNotFoundError, ValueError):  # it named none, or was killed on the way
            return outcome
        read, wrote = tuple(said["read"]) or None, tuple(said["wrote"]) or None
        return replace(outcome, read=read, wrote=wrote)

    def _call_hooks(self) -> StepResult | ChildProgram:
        """All of them, though one fails; the first failure counts."""
        failure = None
        for name in self._task.hooks:
            call = functools.partial(call_hook, self._task, name)
            outcome = self._run_child(ChildProgram(self._environ, call=call))
            if isinstance(outcome, ChildProgram):
                return outcome
            if outcome.killed_by is not None:
                return outcome  # asked to end
            if not outcome.ok and failure is None:
                failure = replace(outcome, error=f"exit hook {name}: {outcome.error}")
        return failure or StepResult(ok=True, exit_code=0)

    def _initialize(self, init: Init) -> StepResult | ChildProgram:
        outcome = self._run_child(self._init_program(init))
        if isinstance(outcome, ChildProgram) or not outcome.ok:
            return outcome
        if not self._store.has_parameters(init):
            error = (
                f"{self._task.script} ended with exit code 0 before Metaflow had stored the run's "
                "parameters: something in it ends the program when it is imported"
            )
            return StepResult(ok=False, exit_code=DISALLOW_RETRY, error=error)
        self._store.mark_initialized(init)
        return outcome

    def _init_program(self, init: Init) -> ChildProgram:
        task, environ = self._task, self._environ
        if init.clone:
            origin = self._store.parameters_of(init.clone)
            return ChildProgram(environ, call=lambda: clone_parameters(task, init, origin))
        arguments = command_lines.init_arguments(task, init)
        if task.in_shell:
            words = command_lines.python_words(task, arguments, self._folder / "init")
            return ChildProgram(environ, shell=command_lines.shell_script(task, [words]))
        return ChildProgram(environ, [task.script, *arguments])

    def _clone_program(self, copied: Finished) -> ChildProgram:
        task = self._task
        return ChildProgram(self._environ, call=lambda: clone_task(task, copied.pathspec))

    def _step_program(self, missing: Init | None) -> ChildProgram:
        task = self._task
        arguments = command_lines.step_arguments(task, self._inputs_file())
        if not task.in_shell:
            return ChildProgram(self._environ, [task.script, *arguments])
        commands = [[task.script, *arguments]]
        if missing:
            init = command_lines.init_arguments(task, missing)
            commands.insert(0, command_lines.python_words(task, init, self._folder / "init"))
        script = command_lines.shell_script(task, commands)
        return ChildProgram(self._environ, shell=script)

    def _inputs_file(self) -> str | None:
        """A join may have thousands of inputs: more than one argument takes."""
        if len(self._task.input_paths) <= 1:
            return None
        path = self._folder / "inputs"
        path.write_text(command_lines.input_paths(self._task))
        return str(path)

    def _run_child(self, program: ChildProgram, *, step: bool = False) -> StepResult | ChildProgram:
        before = read_memory()
        pid, streams = self._fork()
        if pid == 0:
            return program
        self._protect(pid)
        if step:
            self._before_step()
        end = self._watch.follow(pid, streams)
        if step and end.asked == signal.SIGTERM:
            self._store.mark_ended()
        stdout, stderr = streams
        result = judge(end, stdout.log.tail, stderr.log.tail, (before, read_memory()))
        if step and result.killed_by is not None and end.asked is None and not end.worker_died:
            # As Metaflow's own run does: the log of a task shows of what it died.
            self._watch.say(f"the step was {result.reason}")
        return result


def _copy_result(copied: Finished) -> StepResult:
    return StepResult(
        ok=True,
        exit_code=0,
        cardinality=copied.stored.cardinality,
        choice=copied.stored.choice,
        values=copied.stored.values,
        assets=copied.stored.assets,
        copied=copied.began,
    )

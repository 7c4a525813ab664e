"""The life of one launcher: prepare, init if the run has none yet, the step, the logs, the end."""

from __future__ import annotations

import functools
import gc
import json
import os
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ...wire.exit_codes import BROKEN
from ...wire.task import RESULT_BYTES, Init, StepResult, StepTask
from ..failures import LaunchError, Stop
from ..flow import command
from ..flow.call_hook import call_hook
from ..flow.clone import clone_parameters, clone_task
from ..flow.task_store import Finished
from ..output.sink import Sink
from ..output.upload import LogUploader
from ..worker.step_process import UPLOAD_GRACE
from .child import Program
from .guard import TOKEN_VARIABLE, Guard, end_strays
from .host import TaskLock, host_directory
from .judge import broken, judge, launch_failure, stopped
from .memory import MemoryRecord, read_memory
from .prepare import Prepared, Work, prepare
from .signals import Lifeline, Signals
from .supervise import Stream, Supervisor


class Launch:
    """One attempt of one step.

    Args:
        result: file for the StepResult. lifeline: descriptor, see signals.Lifeline.
        grace: seconds between SIGTERM and SIGKILL. lock_wait: seconds.
    """

    def __init__(
        self,
        task: StepTask,
        *,
        result: Path | None,
        lifeline: int | None,
        grace: float,
        lock_wait: float,
    ) -> None:
        self._task = task
        self._result = result
        self._lifeline = Lifeline(lifeline)
        self._grace = grace
        self._lock_wait = lock_wait
        self._sinks = (Sink(1), Sink(2))
        self._work: Work | None = None
        # What the launcher does at its end, and what a forked child does first; last one first.
        self._at_end: list[Callable[[], None]] = []
        self._in_child: list[Callable[[], None]] = []

    def run(self) -> int | Program:
        """Run the attempt; returns the exit code, or in a forked child what that is to do."""
        signals = Signals(self._lifeline)
        self._in_child += [self._lifeline.close, signals.leave]
        try:
            outcome = self._run(signals)
        except Stop as stop:
            outcome = stopped(stop)
        except LaunchError as error:
            self._say(str(error))
            outcome = launch_failure(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the launcher cleans up
            self._say(traceback.format_exc())
            outcome = broken(error)
        if isinstance(outcome, Program):
            return outcome
        signals.stop_raising()
        for end in reversed(self._at_end):
            try:
                end()
            except Exception:  # noqa: BLE001 - and does all of it
                self._say(traceback.format_exc())
        self._write_result(outcome)
        return outcome.exit_code

    def _run(self, signals: Signals) -> StepResult | Program:
        task, host = self._task, host_directory()
        lock = TaskLock(host, task)
        lock.acquire(self._lock_wait, self._say)
        self._in_child.append(lock.forget)
        token = os.environ.get(TOKEN_VARIABLE, "")
        guard = Guard(token, signals.leave)
        self._at_end += [guard.dismiss, lock.release]
        self._in_child.append(guard.leave)
        self._work = work = Work(host)
        guard.clean(work.directory)
        self._at_end.append(work.remove)
        gc.disable()  # while thousands of modules' objects come to stay, it looks in vain
        prepared = prepare(task, host, work, self._say)
        self._at_end.append(lambda: self._upload(prepared))
        gc.freeze()  # keeps the forks' memory shared
        gc.enable()
        supervisor = Supervisor(
            signals,
            self._lifeline,
            self._grace,
            self._say,
            lambda: end_strays(token, spare=(os.getpid(), guard.pid)),
            look=MemoryRecord(self._result).update,
        )
        return _Children(self, prepared, supervisor, guard).run()

    def fork(self, work: Work) -> tuple[int, tuple[Stream, Stream]]:
        """Fork a child that leads a process group of its own; 0 in the child."""
        pipes = (os.pipe(), os.pipe())
        pid = os.fork()
        if pid == 0:
            try:
                _lead_group(0)
                for leave in reversed(self._in_child):
                    leave()
                _use_streams(*(write_end for _, write_end in pipes))
            except BaseException:  # noqa: BLE001 - must not clean up what is the launcher's
                traceback.print_exc()
                os._exit(BROKEN)
        else:
            # Both sides do it, so that neither runs before it is done.
            _lead_group(pid)
        for read_end, write_end in pipes:
            os.close(write_end if pid else read_end)
        stdout = Stream(pipes[0][0], self._sinks[0], work.stdout)
        return pid, (stdout, Stream(pipes[1][0], self._sinks[1], work.stderr))

    def start_upload(self, prepared: Prepared) -> None:
        """Keep uploading the logs. The thread comes after the last fork."""
        prepared.uploader = LogUploader(prepared.store, prepared.work, self._say)
        prepared.uploader.start()

    def _upload(self, prepared: Prepared) -> None:
        prepared.work.close_logs()
        if prepared.uploader is None:
            prepared.uploader = LogUploader(prepared.store, prepared.work, self._say)
        prepared.uploader.finish(UPLOAD_GRACE)

    def _write_result(self, result: StepResult) -> None:
        if self._result is None:
            return
        try:
            self._result.write_text(result.to_json(at_most=RESULT_BYTES))
        except OSError as error:
            self._say(f"the result cannot be written to {self._result}: {error}")

    def _say(self, text: str) -> None:
        line = f"[metaflow-airflow] {text}\n".encode()
        if self._work is not None:
            self._work.stderr.append(line)
        self._sinks[1].push(line)


class _Children:
    """The forks of one launcher, one after the other."""

    def __init__(
        self, launch: Launch, prepared: Prepared, supervisor: Supervisor, guard: Guard
    ) -> None:
        self._launch, self._prepared = launch, prepared
        self._supervisor, self._guard = supervisor, guard
        self._task = prepared.task

    def run(self) -> StepResult | Program:
        store, init = self._prepared.store, self._task.init
        self._supervisor.signals.stop_raising()
        if self._task.hooks:
            return self._call_hooks()
        missing = init if init and not store.is_initialized(init) else None
        in_shell = self._task.in_shell
        copied = store.find_finished(self._task.clone) if self._task.clone else None
        if missing and (missing.clone or copied or not in_shell):
            outcome = self._run_child(self._init_program(missing))
            if isinstance(outcome, Program) or not outcome.ok:
                return outcome
            store.mark_initialized(missing)
            missing = None
        program = self._clone_program(copied) if copied else self._step_program(missing)
        outcome = self._run_child(program, step=True)
        if isinstance(outcome, Program) or not outcome.ok:
            return outcome
        if missing:
            store.mark_initialized(missing)
        return self._copy_result(copied) if copied else self._with_report(outcome)

    def _call_hooks(self) -> StepResult | Program:
        """All of them, though one fails; the first failure counts."""
        task, environ = self._task, self._prepared.environ
        failure = None
        for name in task.hooks:
            call = functools.partial(call_hook, task, name)
            outcome = self._run_child(Program(environ, call=call))
            if isinstance(outcome, Program):
                return outcome
            if outcome.killed_by is not None:
                return outcome  # asked to end
            if not outcome.ok and failure is None:
                failure = replace(outcome, error=f"exit hook {name}: {outcome.error}")
        return failure or StepResult(ok=True, exit_code=0)

    def _init_program(self, init: Init) -> Program:
        task, environ = self._task, self._prepared.environ
        if init.clone:
            origin = self._prepared.store.parameters_of(init.clone)
            return Program(environ, call=lambda: clone_parameters(task, init, origin))
        arguments = command.init_arguments(task, init)
        if task.in_shell:
            return Program(environ, shell=command.shell_script(task, [arguments]))
        return Program(environ, [task.script, *arguments])

    def _clone_program(self, copied: Finished) -> Program:
        task = self._task
        return Program(self._prepared.environ, call=lambda: clone_task(task, copied.pathspec))

    def _step_program(self, missing: Init | None) -> Program:
        task = self._task
        arguments = command.step_arguments(task, self._inputs_file())
        if not task.in_shell:
            return Program(self._prepared.environ, [task.script, *arguments])
        commands = [command.init_arguments(task, missing)] if missing else []
        script = command.shell_script(task, [*commands, arguments])
        return Program(self._prepared.environ, shell=script)

    def _inputs_file(self) -> str | None:
        """A join may have thousands of inputs: more than one argument takes."""
        if len(self._task.input_paths) <= 1:
            return None
        path = self._prepared.work.directory / "inputs"
        path.write_text(command.input_paths(self._task))
        return str(path)

    def _run_child(self, program: Program, *, step: bool = False) -> StepResult | Program:
        memory = read_memory()
        pid, streams = self._launch.fork(self._prepared.work)
        if pid == 0:
            return program
        self._guard.protect(pid)
        timeout = None
        if step:
            self._launch.start_upload(self._prepared)
            timeout = self._task.timeout
        deadline = time.monotonic() + timeout if timeout else None
        ending = self._supervisor.follow(pid, streams, deadline)
        if step and ending.asked == signal.SIGTERM:
            self._prepared.store.mark_ended()
        stdout, stderr = streams
        return judge(ending, stdout.log.tail, stderr.log.tail, timeout, (memory, read_memory()))

    def _with_report(self, result: StepResult) -> StepResult:
        """Add what @airflow_internal reported."""
        try:
            report = json.loads(self._prepared.work.report.read_text())
        except FileNotFoundError:
            return result
        return StepResult(
            ok=True,
            exit_code=0,
            cardinality=report.get("cardinality"),
            choice=report.get("choice"),
        )

    def _copy_result(self, copied: Finished) -> StepResult:
        return StepResult(
            ok=True,
            exit_code=0,
            cardinality=copied.cardinality,
            choice=copied.choice,
            copied=copied.began,
        )


def _lead_group(pid: int) -> None:
    try:
        os.setpgid(pid, pid)
    except (PermissionError, ProcessLookupError):
        return  # the child has done it, and maybe ended


def _use_streams(stdout: int, stderr: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    for descriptor, target in ((null, 0), (stdout, 1), (stderr, 2)):
        os.dup2(descriptor, target)
        os.close(descriptor)

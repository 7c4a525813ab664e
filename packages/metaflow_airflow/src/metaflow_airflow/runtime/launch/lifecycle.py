"""The life of one launcher: lock, guard, folder, preparation, its children, the logs, the end."""

from __future__ import annotations

import functools
import gc
import os
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from ...wire.handshake import TOKEN_VARIABLE, UPLOAD_GRACE
from ...wire.task import RESULT_BYTES, StepResult, StepTask
from ..failures import LaunchError, Stop
from ..output.log_uploader import LogUploader
from ..output.sink import Sink
from ..surroundings import lost_certificates, reach_loopback, step_umask
from .child_program import ChildProgram
from .children import Children
from .end_processes import end_strays
from .fork import fork
from .guard import Guard
from .host_folder import host_directory
from .judge import broken, launch_failure, stopped
from .loop import run_loop
from .memory import MemoryRecord
from .prepare import claim, prepare
from .signals import Lifeline, Signals
from .step_folder import StepFolder, remove_abandoned
from .task_lock import TaskLock
from .watch_child import ChildWatch


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
        # A worker holds the other end of the lifeline, and gives a file; a pod's end holds little.
        self._result_bytes = RESULT_BYTES if lifeline is None else None
        self._lifeline = Lifeline(lifeline)
        self._grace = grace
        self._lock_wait = lock_wait
        self._sinks = (Sink(1), Sink(2))
        self._folder: StepFolder | None = None
        self._uploader: LogUploader | None = None
        # What the launcher does at its end, and what a forked child does first; last one first.
        self._at_end: list[Callable[[], None]] = []
        self._in_child: list[Callable[[], None]] = []

    def run(self) -> int | ChildProgram:
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
        if isinstance(outcome, ChildProgram):
            return outcome
        signals.stop_raising()
        for end in reversed(self._at_end):
            try:
                end()
            except Exception:  # noqa: BLE001 - and does all of it
                self._say(traceback.format_exc())
        self._write_result(outcome)
        return outcome.exit_code

    def _run(self, signals: Signals) -> StepResult | ChildProgram:
        # The launcher's too: what it writes into a local datastore is the run's. Its own folders
        # have modes of their own.
        os.umask(step_umask(os.environ, os.umask(0o077)))
        os.environ.update(reach_loopback(os.environ))
        task, host = self._task, host_directory()
        lock = TaskLock(host, task)
        lock.acquire(self._lock_wait, self._say)
        self._in_child.append(lock.forget)
        token = os.environ.get(TOKEN_VARIABLE, "")
        guard = Guard(token, signals.leave)
        self._at_end += [guard.dismiss, lock.release]
        self._in_child.append(guard.leave)
        remove_abandoned(host)
        self._folder = folder = StepFolder(host)
        guard.clean(folder.path)
        self._at_end.append(folder.remove)
        if lost := lost_certificates(os.environ):
            self._say(lost)
        gc.disable()  # while thousands of modules' objects come to stay, it looks in vain
        environ = prepare(task, host, folder.path, self._say)
        self._at_end.append(self._bring_logs_home)
        gc.freeze()  # keeps the forks' memory shared
        gc.enable()
        watch = ChildWatch(
            signals,
            self._lifeline,
            self._grace,
            self._say,
            lambda: end_strays(token, spare=(os.getpid(), guard.pid)),
            look=MemoryRecord(self._result).update,
        )
        run = functools.partial(self._run_attempt, folder, environ, signals, watch, guard)
        return run_loop(task, task.loop, run, self._say) if task.loop else run(task, "")

    def _run_attempt(
        self,
        folder: StepFolder,
        environ: Mapping[str, str],
        signals: Signals,
        watch: ChildWatch,
        guard: Guard,
        task: StepTask,
        heading: str,
    ) -> StepResult | ChildProgram:
        if self._uploader is not None:  # that of the iteration before
            self._bring_logs_home()
            folder.begin_logs()
        signals.begin_raising()
        prepared = claim(task, environ)
        signals.stop_raising()
        self._uploader = uploader = LogUploader(
            folder.stdout, folder.stderr, prepared.store.save_logs, self._say
        )
        if heading:
            self._say(heading)
        return Children(
            prepared,
            folder.path,
            functools.partial(fork, self._sinks, folder, self._in_child),
            watch,
            guard.protect,
            uploader.start,
        ).run()

    def _bring_logs_home(self) -> None:
        if self._folder is not None:
            self._folder.close_logs()
        if self._uploader is not None:
            self._uploader.finish(UPLOAD_GRACE)

    def _write_result(self, result: StepResult) -> None:
        if self._result is None:
            return
        try:
            self._result.write_text(result.to_json(self._result_bytes))
        except OSError as error:
            self._say(f"the result cannot be written to {self._result}: {error}")

    def _say(self, text: str) -> None:
        line = f"[metaflow-airflow] {text}\n".encode()
        if self._folder is not None:
            self._folder.stderr.append(line)
        self._sinks[1].push(line)

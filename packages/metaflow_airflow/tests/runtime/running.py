"""Steps that run while a test looks, and what they leave."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from metaflow_airflow.runtime.worker.step_process import StepProcess
from metaflow_airflow.wire.handshake import TOKEN_VARIABLE
from metaflow_airflow.wire.task import StepResult

from .support import LauncherRun, Platform
from .waiting import wait_for


@dataclass
class Running:
    """A step that runs in a thread of its own."""

    run: LauncherRun
    process: StepProcess
    thread: threading.Thread
    results: list[StepResult] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)

    @property
    def launcher(self) -> psutil.Process:
        assert self.process.pid is not None
        return psutil.Process(self.process.pid)

    def result(self) -> StepResult:
        """Waits for the end."""
        wait_for(lambda: not self.thread.is_alive(), "the end of run()", 60)
        return self.results[0]


@contextmanager
def nothing_is_left(platform: Platform) -> Iterator[None]:
    """No process, thread or descriptor more than before."""
    threads, descriptors, children = threading.active_count(), _descriptors(), _children()
    yield
    marked = lambda: _marked(platform.directory)  # noqa: E731
    wait_for(lambda: not marked(), f"the end of all processes of steps: {marked()}", 10)
    wait_for(lambda: not _children() - children, "no child left, zombies counted", 10)
    assert threading.active_count() <= threads
    assert _descriptors() <= descriptors


def _descriptors() -> int:
    return int(psutil.Process().num_fds())


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


def _marked(directory: Path) -> list[str]:
    """Processes that carry the mark of a step of this test session."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            # Others run steps on this host too.
            if TOKEN_VARIABLE in process.environ() and str(directory) in str(process.environ()):
                found.append(" ".join(process.cmdline()))
    return found


def start_step(run: LauncherRun, trouble: str, tmp_path: Path, *, grace: float = 10) -> Running:
    """Start a step and wait until it says that it runs."""
    started = tmp_path / "started"
    task = run.task("start", env={"TROUBLE": trouble, "STARTED": str(started)})
    process = run.process(task, grace=grace)
    running = Running(run, process, threading.Thread())
    running.thread = threading.Thread(target=lambda: running.results.append(process.run()))
    running.thread.start()
    wait_for(lambda: started.exists() and started.read_text(), f"the start of {run.text()}")
    running.pids = [int(pid) for pid in started.read_text().split()]
    return running


def gone(pids: list[int]) -> bool:
    """Whether none of them runs; init takes its time to reap what it inherits."""
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                return False
    return True

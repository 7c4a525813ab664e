"""Processes of a stack: found by a mark in their environment, ended with all they started."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterable
from pathlib import Path

import psutil

MARK = "EMBEDDED_STACK"
_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Make orphans of this process's descendants its own children, so that it can end them."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def marked(state: Path) -> list[psutil.Process]:
    """Return the processes that belong to the stack in `state`, but for the calling one.

    They carry MARK in their environment, or descend from one that does.
    """
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(state):
                found[process.pid] = process
                found.update((child.pid, child) for child in process.children(recursive=True))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # gone, or somebody else's
    found.pop(os.getpid(), None)
    return list(found.values())


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def children() -> set[int]:
    """Return the pids of this process's children."""
    return {child.pid for child in psutil.Process().children()}


def tree(pid: int) -> list[psutil.Process]:
    """Return the process `pid` and its descendants; nothing when it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to each process that still lives."""
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def end(processes: list[psutil.Process], grace: float = 5.0) -> None:
    """Ask the processes to end, wait `grace` seconds, then kill those that are left."""
    send(processes, signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=grace)
    send(alive, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=grace)


def memory(processes: Iterable[psutil.Process]) -> int:
    """Return the memory of the processes in bytes, shared pages counted once (PSS)."""
    total = 0
    for process in processes:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def exit_text(returncode: int) -> str:
    """Say how a process ended: "exit code 1", "killed by SIGKILL (signal 9)"."""
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = "an unknown signal"
    return f"killed by {name} (signal {-returncode})"


def log_end(log: Path, lines: int = 15) -> list[str]:
    """Return the last lines of a log file; nothing when there is no such file."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 64 * 1024))
            return stream.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []

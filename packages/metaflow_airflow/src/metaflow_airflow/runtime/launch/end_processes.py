"""Ends the processes of a step: all of its group, and those that left it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from ...wire.handshake import TOKEN_VARIABLE

_ROUNDS = 20


def end_group(group: int) -> None:
    """Kill all processes of the group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def end_strays(token: str, spare: tuple[int, ...]) -> int:
    """Kill all processes of this user that carry the token, wherever they went; how many.

    Args:
        spare: process ids that live on.
    """
    if not token:
        return 0
    mark = f"{TOKEN_VARIABLE}={token}".encode()
    killed = 0
    for _ in range(_ROUNDS):
        # One that is killed may have forked meanwhile: until none is found.
        found = [pid for pid in _carriers(mark) if pid not in spare]
        if not found:
            break
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        time.sleep(0.01)
    return killed


def _carriers(mark: bytes) -> list[int]:
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            environ = Path(entry.path, "environ").read_bytes()
        except OSError:
            continue  # somebody else's, or gone meanwhile
        if mark in environ.split(b"\0"):
            found.append(int(entry.name))
    return found

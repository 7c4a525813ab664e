"""Shows the servers' logs, one after another or as they grow."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from embedded.errors import StackError

_POLL = 0.2
_LINES = 50


def show(folder: Path, servers: Sequence[str], *, follow: bool) -> None:
    """Print the end of each log, and with `follow` what is added, until interrupted.

    Raises StackError for a server that has no log here.
    """
    known = {path.stem: path for path in sorted(folder.glob("*.log"))}
    for server in servers:
        if server not in known:
            there = ", ".join(known) or "none"
            raise StackError(f"there is no log of {server!r} in {folder}; there are: {there}")
    chosen = {name: known[name] for name in servers} if servers else known
    positions: dict[str, int] = {}
    for name, path in chosen.items():
        content = path.read_bytes()
        positions[name] = len(content)
        for line in content.decode(errors="replace").splitlines()[-_LINES:]:
            print(f"{name:18}{line}")
    while follow:
        for name, line in _added(chosen, positions):
            print(f"{name:18}{line}", flush=True)
        time.sleep(_POLL)


def _added(logs: dict[str, Path], positions: dict[str, int]) -> Iterator[tuple[str, str]]:
    """Yield the complete lines added since `positions`, and move those."""
    for name, path in logs.items():
        size = path.stat().st_size
        if size < positions[name]:
            positions[name] = 0  # begun anew
        with path.open("rb") as stream:
            stream.seek(positions[name])
            complete = stream.read().rpartition(b"\n")[0]
        if complete:
            positions[name] += len(complete) + 1
            for line in complete.decode(errors="replace").splitlines():
                yield name, line

"""What the step's container says of its memory, as far as it has a limit of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_NO_LIMIT = 1 << 50  # the first version of cgroups writes a large number for none
_STEP = 1 << 20


@dataclass(frozen=True)
class Memory:
    """Bytes, as the kernel counts them.

    Args:
        most: used at once so far. limit: what the container may use.
        kills: how many of its processes were killed for their memory so far.
    """

    most: int
    limit: int
    kills: int

    def __str__(self) -> str:
        return f"{megabytes(self.most)} of {megabytes(self.limit)}"


def megabytes(amount: int) -> str:
    """As people say it."""
    return f"{amount / 1e6:.0f} MB"


def read_memory(root: Path = _ROOT) -> Memory | None:
    """The memory of the container that this process is in; None without a limit.

    Args:
        root: where a container sees its own control group.
    """
    try:
        if (root / "memory").is_dir():
            root = root / "memory"
            found = Memory(
                int((root / "memory.max_usage_in_bytes").read_text()),
                int((root / "memory.limit_in_bytes").read_text()),
                _count(root / "memory.oom_control"),
            )
        else:
            found = Memory(
                int((root / "memory.peak").read_text()),
                int((root / "memory.max").read_text()),  # "max" where there is no limit
                _count(root / "memory.events"),
            )
    except (OSError, ValueError):
        return None
    return found if found.limit < _NO_LIMIT else None


def _count(events: Path) -> int:
    lines = (line.split() for line in events.read_text().splitlines())
    return next((int(count) for name, count in lines if name == "oom_kill"), 0)


class MemoryRecord:
    """Keeps the most memory used in a file that is read when the whole container was killed.

    Args:
        path: where the attempt's result goes at its end; None to keep no record.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path if read_memory() else None
        self._written = 0

    def update(self) -> None:
        """Write it down when it has grown."""
        found = read_memory() if self._path else None
        if self._path is None or found is None or found.most < self._written + _STEP:
            return
        try:
            self._path.write_text(json.dumps({"memory": found.most}))
        except OSError:
            self._path = None  # the result itself will say what is wrong with it
        self._written = found.most


def recorded(text: str) -> int | None:
    """Bytes out of such a file, or out of a result; None for any other text."""
    try:
        values = json.loads(text)
    except ValueError:
        return None
    found = values.get("memory") if isinstance(values, dict) else None
    return found if isinstance(found, int) else None

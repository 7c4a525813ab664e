"""What must hold before anything is started."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from embedded.errors import StackError

MIB = 1024**2
# The flows' environment (500 MB where uv cannot link from its cache), the database with its log,
# a month of trips. Later starts find most of it there.
FIRST_START = 2048 * MIB
LATER_START = 512 * MIB
_TEMPORARY = 128 * MIB
_INODES = 20_000


def check_space(state: Path, *, first: bool) -> None:
    """Raise StackError when the disk of the state directory or of temporary files is too full."""
    _check(state, FIRST_START if first else LATER_START, "the state directory", "--state DIR")
    _check(Path(tempfile.gettempdir()), _TEMPORARY, "temporary files", "TMPDIR")


def _check(folder: Path, needed: int, what: str, way_out: str) -> None:
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < needed:
        raise StackError(
            f"the disk is too full for {what} {folder}: {free // MIB} MiB free, "
            f"{needed // MIB} MiB needed. Make room or choose another place ({way_out}). "
            "Nothing was started."
        )
    if disk.f_files and disk.f_favail < _INODES:
        raise StackError(
            f"the disk of {what} {folder} has room for {disk.f_favail} more files only, "
            f"{_INODES} needed. Make room or choose another place ({way_out}). Nothing was started."
        )

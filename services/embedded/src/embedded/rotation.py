"""Keeps the servers' logs from growing for ever: of a long one the end stays."""

from __future__ import annotations

from pathlib import Path

MOST_BYTES = 20 << 20
KEPT_BYTES = 2 << 20


def trim(folder: Path, most: int = MOST_BYTES, keep: int = KEPT_BYTES) -> list[Path]:
    """Cut each log of a folder that has more than `most` bytes to its last `keep`; which were cut.

    In place, as servers go on writing to the file that they have open, at its end. What one writes
    in the moment of the cut is lost.
    """
    cut = []
    for path in sorted(folder.glob("*.log")):
        with path.open("r+b") as log:
            if log.seek(0, 2) <= most:
                continue
            log.seek(-keep, 2)
            end = log.read().partition(b"\n")[2]
            log.seek(0)
            log.truncate()
        # As its writers do, at the end: they may have been quicker.
        with path.open("ab") as log:
            log.write(end)
        cut.append(path)
    return cut

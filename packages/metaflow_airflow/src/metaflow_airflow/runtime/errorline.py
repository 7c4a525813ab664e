"""The one line that says why a step failed, from the end of what it wrote. Pure."""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"\x1b\[[;?0-9]*[a-zA-Z]")
_TRACEBACK = "Traceback (most recent call last):"
_MAX = 500


def error_line(text: str) -> str | None:
    """The exception of the last traceback in text, else its last line; None if it has none."""
    lines = _ESCAPES.sub("", text).splitlines()
    starts = [number for number, line in enumerate(lines) if line.strip() == _TRACEBACK]
    if starts:
        start = starts[-1]
        indent = len(lines[start]) - len(lines[start].lstrip())
        for line in lines[start + 1 :]:
            # Frames are indented deeper than the traceback's head, the exception is not.
            if line.strip() and len(line) - len(line.lstrip()) <= indent:
                return _cut(line)
    said = [line for line in lines if line.strip()]
    return _cut(said[-1]) if said else None


def _cut(line: str) -> str:
    line = line.strip()
    return line if len(line) <= _MAX else line[: _MAX - 1] + "…"

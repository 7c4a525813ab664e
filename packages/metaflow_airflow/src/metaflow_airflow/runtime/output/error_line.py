"""The one line that says why a step failed, from the end of what it wrote. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

_ESCAPES = re.compile(r"\x1b\[[;?0-9]*[a-zA-Z]")
_TRACEBACK = "Traceback (most recent call last):"
_FAILED = re.compile(r"<flow \S+ step \S+> failed:")
_MAX = 500
_MISSING = re.compile(r"ModuleNotFoundError: No module named '[^']+'")

_WAYS = (
    "The Python of the step lacks it. Export the flow with --environment=uv, which gives each step "
    "what the flow's pyproject.toml and uv.lock declare, or install it into that Python "
    "(`uv pip install`; for pods, in their image)."
)


def error_line(text: str) -> str | None:
    """What the step failed of: its last exception, else its last line; None if it said nothing."""
    lines = _ESCAPES.sub("", text).splitlines()
    found = _exception(lines) or _metaflow_error(lines)
    line = found or next((_cut(line) for line in reversed(lines) if line.strip()), None)
    return f"{line}. {_WAYS}" if line and _MISSING.fullmatch(line) else line


def _exception(lines: list[str]) -> str | None:
    """The exception of the last traceback, if it stands after Metaflow's word of the failure."""
    start = _last(lines, lambda line: line.strip() == _TRACEBACK)
    if start is None or start < (_last(lines, _FAILED.match) or 0):
        return None
    indent = _indent(lines[start])
    for line in lines[start + 1 :]:
        # Frames are indented deeper than the traceback's head, the exception is not.
        if line.strip() and _indent(line) <= indent:
            return _cut(line)
    return None


def _metaflow_error(lines: list[str]) -> str | None:
    """Headline and first line of an error of Metaflow's own, which shows no traceback."""
    failed = _last(lines, _FAILED.match)
    if failed is None:
        return None
    said = [line.strip() for line in lines[failed + 1 :] if line.strip()]
    return _cut(" ".join(said[:2])) if said else None


def _last(lines: list[str], matches: Callable[[str], object]) -> int | None:
    return next((n for n in reversed(range(len(lines))) if matches(lines[n])), None)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _cut(line: str) -> str:
    line = line.strip()
    return line if len(line) <= _MAX else line[: _MAX - 1] + "…"

"""Python source for calls with literal arguments, wrapped the way a formatter would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

_WIDTH = 100


@dataclass(frozen=True)
class Source:
    """Text that is Python source already."""

    text: str


def source(value: object, indent: int = 0, *, room: int = 0) -> str:
    """Source of a value, wrapped below `indent` where one line (less `room`) does not hold it."""
    line = literal(value)
    if len(line) <= _WIDTH - indent - room or not isinstance(value, list | tuple | Mapping):
        return line
    pad = " " * (indent + 4)
    if isinstance(value, Mapping):
        opening, closing = "{", "}"
        entries = [
            f"{literal(k)}: {source(v, indent + 4, room=len(literal(k)) + 3)}"
            for k, v in value.items()
        ]
    else:
        opening, closing = "[", "]"
        entries = [source(entry, indent + 4, room=1) for entry in value]
    body = "".join(f"{pad}{entry},\n" for entry in entries)
    return f"{opening}\n{body}{' ' * indent}{closing}"


def literal(value: object) -> str:
    """Source of a plain value; strings in double quotes, mappings in their own order."""
    if isinstance(value, Source):
        return value.text
    if isinstance(value, str):
        if '"' in value and "'" not in value:
            return repr(value)
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, timedelta):
        return f"timedelta(seconds={value.total_seconds():g})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return repr(value)


def call(
    name: str,
    *positional: object,
    _indent: int = 0,
    _tail: int = 0,
    _wrap: bool = False,
    **keywords: object,
) -> str:
    """Source of a call, on one line where it fits; keywords that are None, "" or empty stay out.

    Args:
        _indent: columns before the statement. _tail: columns that follow the call.
        _wrap: an argument a line even where one line would do.
    """
    arguments = [("", value) for value in positional]
    arguments += [
        (f"{key}=", value)
        for key, value in keywords.items()
        if value is not None and value != "" and value != [] and value != {}
    ]
    line = f"{name}({', '.join(key + literal(value) for key, value in arguments)})"
    if not _wrap and _indent + len(line) + _tail <= _WIDTH:
        return line
    pad = " " * (_indent + 4)
    body = "".join(
        f"{pad}{key}{source(value, _indent + 4, room=len(key) + 1)},\n" for key, value in arguments
    )
    return f"{name}(\n{body}{' ' * _indent})"

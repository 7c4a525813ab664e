"""A plain value as something to look at: text, a table, a picture."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metaflow_airflow.pages.words import say

_PNG = b"\x89PNG\r\n\x1a\n"
_TEXT = 2000  # characters
_ROWS, _COLUMNS = 20, 12
# A few bytes of pickle can name one list a million times.
_MOST_PARTS = 5000
_MOST_BITS = 4096


@dataclass(frozen=True)
class Preview:
    """What is shown of a value: one of the three.

    Args:
        text: JSON or text, cut where it is long. picture: a data URL.
        columns, rows: of a table. cut: what is left out, in words.
    """

    text: str = ""
    picture: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    cut: str = ""


def preview(value: Any) -> Preview:
    """What to show of a plain value."""
    if not _is_small(value):
        return Preview(text=say("too_large", type=type(value).__name__))
    if isinstance(value, bytes | bytearray):
        if bytes(value).startswith(_PNG):
            return Preview(picture="data:image/png;base64," + base64.b64encode(value).decode())
        return Preview(text=say("bytes", count=f"{len(value):,}", first=bytes(value[:32])))
    if table := _table(value):
        return table
    text = value if isinstance(value, str) else _json(value)
    if len(text) <= _TEXT:
        return Preview(text=text)
    return Preview(text=text[:_TEXT], cut=say("more_characters", count=f"{len(text) - _TEXT:,}"))


def _table(value: Any) -> Preview | None:
    """Rows that are mappings with the same keys of plain cells."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return None
    if not all(isinstance(row, Mapping) and row.keys() == value[0].keys() for row in value):
        return None
    columns = [str(key) for key in value[0]]
    cells = [list(row.values()) for row in value[:_ROWS]]
    if not columns or len(columns) > _COLUMNS:
        return None
    if any(isinstance(cell, Mapping | list | tuple | set) for row in cells for cell in row):
        return None
    return Preview(
        columns=tuple(columns),
        rows=tuple(tuple(_cell(cell) for cell in row) for row in cells),
        cut=say("more_rows", count=f"{len(value) - _ROWS:,}") if len(value) > _ROWS else "",
    )


def _is_small(value: Any) -> bool:
    """Whether a value has few enough parts to be written out, each as often as it is named."""
    waiting, left = [value], _MOST_PARTS
    while waiting:
        part = waiting.pop()
        left -= 1
        if left < 0 or (isinstance(part, int) and part.bit_length() > _MOST_BITS):
            return False
        if isinstance(part, Mapping):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, list | tuple | set | frozenset):
            waiting += part
    return True


def _cell(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)[:100]


def _json(value: Any) -> str:
    try:
        return json.dumps(value, indent=1, ensure_ascii=False, default=repr)
    except (TypeError, ValueError, RecursionError):  # keys that JSON has not, a value in itself
        return repr(value)

"""Tables of docs/security.md as data, and the same form for what was found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"
Cells = dict[tuple[str, str], str]


def table(first: str, page: Path = PAGE) -> Cells:
    """Return the cells of the table whose first heading is `first`, by (row, column)."""
    lines = page.read_text(encoding="utf-8").splitlines()
    (begin,) = (number for number, line in enumerate(lines) if _cells(line)[:1] == [first])
    _, *columns = _cells(lines[begin])
    found: Cells = {}
    for line in lines[begin + 2 :]:
        row = _cells(line)
        if not row:
            break
        found |= {(row[0], column): cell for column, cell in zip(columns, row[1:], strict=True)}
    return found


def printed(first: str, cells: Mapping[tuple[str, str], str]) -> str:
    """Return the cells as the page has them."""
    rows = list(dict.fromkeys(row for row, _ in cells))
    columns = list(dict.fromkeys(column for _, column in cells))
    lines = [[first, *columns], ["---"] * (len(columns) + 1)]
    lines += [[row, *(cells[row, column] for column in columns)] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(line: str) -> list[str]:
    if not line.startswith("|"):
        return []
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]

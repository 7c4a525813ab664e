"""Each row of the fault table has a test that is there."""

import ast
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FAULTS: list[Any] = runpy.run_path(str(Path(__file__).parent / "run.py"))["read_table"]()


@pytest.mark.parametrize("row", FAULTS, ids=lambda row: f"{row.what}, {row.moment}")
def test_the_test_of_a_row_is_there(row: Any) -> None:
    file, _, name = row.test.partition("::")
    tree = ast.parse((ROOT / file).read_text())
    found = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}

    assert name.partition("[")[0] in found


def test_no_moment_stands_twice() -> None:
    rows = [(row.what, row.moment) for row in FAULTS]

    assert len(set(rows)) == len(rows)
    assert len({row.what for row in FAULTS}) > 12

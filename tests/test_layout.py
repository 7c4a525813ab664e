"""What the layout promises: each module has a name of its own, and no file is too long."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    path
    for area in ("packages", "services")
    for path in ROOT.glob(f"{area}/*/src/*")
    if path.is_dir()
)
MOST_LINES = 300


@pytest.mark.parametrize("package", SOURCES, ids=lambda path: path.name)
def test_no_two_modules_of_a_package_have_one_name(package: Path) -> None:
    names = Counter(path.stem for path in package.rglob("*.py") if not path.stem.startswith("__"))

    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("area", ["packages", "services", "tests", "benchmarks"])
def test_no_file_is_too_long_to_be_read_at_once(area: str) -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / area).rglob("*.py")
        if (lines := path.read_text().count("\n")) > MOST_LINES
    }

    assert long == {}

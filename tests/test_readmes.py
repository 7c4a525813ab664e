"""A package's README stands alone where only the package is: on an index, in a wheel."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RELEASED = [
    path.parent
    for path in sorted(ROOT.glob("packages/*/pyproject.toml"))
    if (path.parent / "CHANGELOG.md").is_file()
]


@pytest.mark.parametrize("package", RELEASED, ids=lambda path: path.name)
def test_a_readme_stands_alone(package: Path) -> None:
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    text = (package / str(project["readme"])).read_text()

    assert text.startswith(f"# {project['name']}\n")
    assert project["description"]
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    assert f"pip install {project['name']}" in text or f"`{project['name']}[" in text

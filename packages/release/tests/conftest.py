import subprocess
from pathlib import Path

import pytest

PYPROJECT = """
[tool.uv.workspace]
members = ["packages/*"]

[tool.release.parts.flows]
team = "ML"
members = ["flows"]
changelog = "packages/flows/CHANGELOG.md"

[tool.release.parts.bridge]
team = "platform"
members = ["bridge"]
changelog = "packages/bridge/CHANGELOG.md"
"""


class Workspace:
    """A small workspace in a real git repository: flows build on the bridge."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.root), "-c", "user.name=ann", "-c", "user.email=a@b"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
        return done.stdout

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def commit(self, message: str, *paths: str) -> None:
        for path in paths:
            self.write(path, "")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path)
    made.git("init", "--quiet")
    made.write("pyproject.toml", PYPROJECT)
    for name, needs in (("flows", '"bridge[fast]>=1"'), ("bridge", '"rich"')):
        project = f'[project]\nname = "{name}"\ndependencies = [{needs}]\n'
        made.write(f"packages/{name}/pyproject.toml", project)
        made.write(f"packages/{name}/CHANGELOG.md", f"# Changelog of {name}\n\n## [Unreleased]\n")
    made.commit("Begin")
    return made

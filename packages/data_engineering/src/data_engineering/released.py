"""Which release of a package lies in a folder: what its DAGs say of themselves in Airflow."""

from __future__ import annotations

import functools
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PUBLISHED = "released.txt"
"""In a package that travels without git and is not installed, the file that says it."""

_HERE = Path(__file__).parent
_ANSWER_SECONDS = 5  # of git, while Airflow parses a DAG


@functools.cache
def released(package: Path = _HERE) -> str:
    """The package's name and version, such as data-engineering-1.2.0.

    In a checkout git says it: data-engineering-1.2.0-3-g1a2b3c4 is three commits later, and
    -dirty means that files differ from that commit. Only commits count that change this part.

    Args:
        package: the folder of an import package, src/<name> of its part of the workspace.
    """
    if (package / PUBLISHED).is_file():
        return (package / PUBLISHED).read_text().strip()
    name = package.name.replace("_", "-")
    part = package.parent.parent
    if (part / "pyproject.toml").is_file() and (described := _described(part, f"{name}-v")):
        return f"{name}-{described}"
    try:
        return f"{name}-{version(name)}"
    except PackageNotFoundError:
        return name


def _described(part: Path, tag: str) -> str:
    """The version in git of a part whose tags begin so; empty outside git."""
    commit = _git(part, "log", "-1", "--format=%h", "--", ".")
    if not commit:
        return ""
    described = _git(part, "describe", "--tags", f"--match={tag}*", "--always", commit)
    changed = _git(part, "status", "--porcelain", "--", ".")
    return described.removeprefix(tag) + ("-dirty" if changed else "")


def _git(folder: Path, *words: str) -> str:
    """What git answers about a folder; empty where it does not."""
    # Another process may hold the index: a question shall not wait for it.
    command = ["git", "--no-optional-locks", "-C", str(folder), *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_ANSWER_SECONDS
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


if __name__ == "__main__":
    # For whoever ships a checkout of the package somewhere else.
    print(released(Path(sys.argv[1])))

"""Which installed package a flow's file belongs to: what a run says of its version."""

from __future__ import annotations

import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path


def version_tags(script: Path) -> tuple[str, ...]:
    """`name-version` of the package that brings the file; empty where none does.

    A folder of the same name that is not what is installed has no version.

    Args:
        script: a flow's file.
    """
    folder = script.resolve().parent
    if not (folder / "__init__.py").is_file():
        return ()
    while (folder.parent / "__init__.py").is_file():
        folder = folder.parent
    if not any(_is_same(Path(entry) / folder.name, folder) for entry in sys.path[1:] if entry):
        return ()
    # An editable install is listed twice.
    names = sorted(set(packages_distributions().get(folder.name, ())))
    return tuple(f"{name}-{version(name)}" for name in names)


def _is_same(one: Path, other: Path) -> bool:
    return one.is_dir() and one.samefile(other)

"""Finds what of a code package is installed here already, byte for byte.

A pod's image often has the very Metaflow that the package brings. To write its four hundred
modules again, and compile them, takes a second of CPU in each pod; to link them takes none.
(No pathlib: for hundreds of files it costs too much.)
"""

# ruff: noqa: PTH110, PTH116, PTH118, PTH123

from __future__ import annotations

import importlib.util
import os
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field

_BYTECODE = f"__pycache__/__init__.{sys.implementation.cache_tag}.pyc"

State = tuple[int, int]


@dataclass
class Installed:
    """An installed import package that is the same as the code package's.

    Args:
        folder: where it is installed.
        files: below it -> time of its last change in ns, size in bytes.
    """

    folder: str
    files: dict[str, State] = field(default_factory=dict)


def find_installed(archive: tarfile.TarFile, code: str) -> dict[str, Installed]:
    """Name of an import package -> where the same one is installed.

    Args:
        archive: the code package.
        code: its folder with import packages.
    """
    found: dict[str, Installed | None] = {}
    for member in archive:
        top, _, rest = member.name.removeprefix("./").partition("/")
        name, _, path = rest.partition("/")
        if top != code or not path or member.isdir():
            continue
        if name not in found:
            found[name] = _candidate(name)
        if (candidate := found[name]) and not _adds(candidate, path, archive, member):
            found[name] = None
    return {name: each for name, each in found.items() if each and not _has_more(each)}


def is_unchanged(folder: str, files: Mapping[str, State]) -> bool:
    """Whether what was found is still there as it was."""
    try:
        return all(_state(os.path.join(folder, path)) == tuple(files[path]) for path in files)
    except OSError:
        return False


def _candidate(name: str) -> Installed | None:
    """Only what an installer put there, as one folder: nobody edits that in place."""
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    folders = list((spec and spec.submodule_search_locations) or ())
    if spec is None or spec.origin is None or len(folders) != 1:
        return None  # not installed, or a namespace that several distributions share
    folder = folders[0]
    is_compiled_once = os.path.exists(f"{folder}/{_BYTECODE}") or os.access(folder, os.W_OK)
    if not folder.startswith(f"{sys.prefix}/") or not is_compiled_once:
        return None
    return Installed(folder)


def _adds(
    candidate: Installed, path: str, archive: tarfile.TarFile, member: tarfile.TarInfo
) -> bool:
    """Whether the file is installed too; if so, it is noted."""
    content = archive.extractfile(member) if member.isfile() else None
    try:
        installed = os.path.join(candidate.folder, path)
        state = _state(installed)
        with open(installed, "rb", buffering=0) as file:
            if content is None or file.read() != content.read():
                return False
    except OSError:
        return False
    candidate.files[path] = state
    return True


def _has_more(installed: Installed) -> bool:
    """Whether there are modules that the package does not have."""
    return any(
        name.endswith(".py")
        and f"{here}/{name}"[len(installed.folder) + 1 :] not in installed.files
        for here, _, names in os.walk(installed.folder)
        for name in names
    )


def _state(path: str) -> State:
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size

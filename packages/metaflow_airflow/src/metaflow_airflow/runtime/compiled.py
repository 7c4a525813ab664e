"""Saves a fresh code package from being compiled, where the same modules are installed compiled.

A pod's image often has the very Metaflow that the package brings; compiling that again costs a
third of a second of CPU in each pod. (No pathlib: for hundreds of files it costs too much.)
"""

# ruff: noqa: PTH116, PTH123, PTH208

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

_CACHE = "__pycache__"
_SUFFIX = f"{sys.implementation.cache_tag}.pyc"


def adopt_compiled(code: Path) -> int:
    """Take over installed compiled modules whose sources are the same; how many.

    Args:
        code: folder with the package's modules, not imported yet.
    """
    adopted = 0
    for folder in code.iterdir():
        spec = importlib.util.find_spec(folder.name) if folder.is_dir() else None
        for installed in (spec and spec.submodule_search_locations) or ():
            for here, _, names in os.walk(folder):
                adopted += _adopt(here, installed + here.removeprefix(str(folder)), names)
    return adopted


def _adopt(folder: str, installed: str, names: list[str]) -> int:
    """The same for one folder. names: its files."""
    try:
        compiled = set(os.listdir(f"{installed}/{_CACHE}"))
    except OSError:
        return 0  # not installed, or not compiled
    Path(folder, _CACHE).mkdir(exist_ok=True)
    adopted = 0
    for name in names:
        module, _, ending = name.rpartition(".")
        cached = f"{module}.{_SUFFIX}"
        if ending != "py" or cached not in compiled:
            continue
        if _read(f"{installed}/{name}") != _read(f"{folder}/{name}"):
            continue
        # Python takes compiled code for a source of the time and size that it was made of.
        found = os.stat(f"{installed}/{name}")
        os.utime(f"{folder}/{name}", ns=(found.st_atime_ns, found.st_mtime_ns))
        with open(f"{folder}/{_CACHE}/{cached}", "wb", buffering=0) as target:
            target.write(_read(f"{installed}/{_CACHE}/{cached}"))
        adopted += 1
    return adopted


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()

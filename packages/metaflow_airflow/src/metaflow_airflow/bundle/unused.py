"""Which versions of a bundle nobody needs any more, and their removal."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from metaflow_airflow.bundle.manifest import FILES, VERSIONS
from metaflow_airflow.bundle.versions import Versions


@dataclass(frozen=True)
class Unused:
    """Versions that nobody needs, and the files that only they have; kept: how many stay."""

    versions: tuple[str, ...]
    files: tuple[str, ...]
    kept: int


def find_unused(versions: Versions, used: Collection[str], before: float) -> Unused:
    """Look for versions that are neither used nor the newest, and were written before a time.

    Args:
        used: those of runs, whatever their state (a run that has ended may be cleared), and those
            that new runs get.
        before: Unix time. An hour ago at the latest: who writes a version puts its files first.
    """
    newest = versions.newest()
    stored = list(versions.objects.all())
    names = {each.name.removeprefix(VERSIONS): each for each in stored if _is(VERSIONS, each.name)}
    unused = {
        name
        for name, each in names.items()
        if name not in used and name != newest and each.written < before
    }
    needed = {
        digest
        for name in names.keys() - unused
        for digest in versions.manifest(name).files.values()
    }
    files = (
        each.name
        for each in stored
        if _is(FILES, each.name)
        and each.name.removeprefix(FILES) not in needed
        and each.written < before
    )
    return Unused(tuple(sorted(unused)), tuple(files), len(names) - len(unused))


def remove(versions: Versions, unused: Unused) -> None:
    """Remove them: manifests first, so that no version ever lacks a file."""
    for name in unused.versions:
        versions.objects.remove(f"{VERSIONS}{name}")
    for name in unused.files:
        versions.objects.remove(name)


def _is(kind: str, name: str) -> bool:
    return name.startswith(kind)

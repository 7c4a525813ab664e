"""A part's changelog: what is not released yet, and which version that makes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keepachangelog
from packaging.version import Version

from release.errors import ReleaseError

_KINDS = ("added", "changed", "deprecated", "removed", "fixed", "security")
_BREAKING = ("changed", "removed")
_FIXES = ("fixed", "security")


def unreleased(path: Path) -> dict[str, list[str]]:
    """The entries below `## [Unreleased]`, by kind; empty where there are none.

    Raises:
        ReleaseError: no such file, or a heading that is none of the known kinds.
    """
    try:
        found: Mapping[str, Any] = keepachangelog.to_dict(str(path), show_unreleased=True)
    except FileNotFoundError as error:
        raise ReleaseError(
            f"{path} does not exist: a part is released with its changelog"
        ) from error
    entries = {
        kind: list(texts)
        for kind, texts in found.get("unreleased", {}).items()
        if kind != "metadata" and texts
    }
    unknown = [kind for kind in entries if kind not in _KINDS]
    if unknown:
        raise ReleaseError(
            f"{path}: entries of [Unreleased] stand below {', '.join(unknown)}; give each a "
            f"heading of {', '.join(kind.capitalize() for kind in _KINDS)}"
        )
    return entries


def next_version(last: Version | None, entries: Mapping[str, list[str]]) -> Version | None:
    """The version that these entries make; None without entries.

    Changed and Removed break a user (a major version, before 1.0 a minor one), Fixed and Security
    alone are a patch, all else is a minor version.
    """
    if not entries:
        return None
    major, minor, patch = (last or Version("0.0.0")).release[:3]
    if last and set(entries) <= {*_FIXES}:
        return Version(f"{major}.{minor}.{patch + 1}")
    if major and set(entries) & {*_BREAKING}:
        return Version(f"{major + 1}.0.0")
    return Version(f"{major}.{minor + 1}.0")


def close(path: Path, version: Version) -> None:
    """Turn what is not released into the section of a version, dated today."""
    keepachangelog.release(str(path), str(version))


def section(path: Path, version: Version) -> str:
    """The text of a version's section.

    Raises:
        ReleaseError: the changelog has none.
    """
    found: Mapping[str, Any] = keepachangelog.to_raw_dict(str(path))
    if str(version) not in found:
        raise ReleaseError(f"{path} has no section {version}")
    return str(found[str(version)].get("raw", "")).strip()

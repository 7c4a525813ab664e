"""Where each part stands: its last release, what changed since, the version that comes next."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.version import Version

from release import changelog
from release.repository import Commit, Repository
from release.workspace import Part, Workspace


@dataclass(frozen=True)
class Standing:
    """One part between its last release and its next.

    Args:
        last: None before the first release. own: commits that touch the part.
        below: commits that touch only what it builds on.
        entries: of its changelog's [Unreleased], by kind. following: None without entries.
    """

    part: Part
    last: Version | None
    own: tuple[Commit, ...]
    below: tuple[Commit, ...]
    entries: dict[str, list[str]]
    following: Version | None


def standing(workspace: Workspace, repository: Repository, part: Part) -> Standing:
    """Look where a part stands.

    Raises:
        ReleaseError: git or the changelog cannot be read.
    """
    releases = repository.releases(part.name)
    last = releases[-1] if releases else None
    since = part.tag(str(last)) if last else None
    folders = [workspace.members[name].folder for name in part.members]
    needed = [each.folder for each in workspace.needed(part.members) if each.folder not in folders]
    own = repository.commits(since, [*folders, *part.paths])
    touched = {commit.sha for commit in own}
    below = repository.commits(since, needed) if needed else []
    entries = changelog.unreleased(workspace.root / part.changelog)
    return Standing(
        part=part,
        last=last,
        own=tuple(own),
        below=tuple(commit for commit in below if commit.sha not in touched),
        entries=entries,
        following=changelog.next_version(last, entries),
    )


def affected(workspace: Workspace, files: list[str]) -> list[str]:
    """The members whose tests a change of these files asks for: those touched and their dependants.

    A file that belongs to no member (the lock, the root's settings, end-to-end tests) asks for all.
    """
    touched = set()
    for file in files:
        owners = [each for each in workspace.members.values() if file.startswith(f"{each.folder}/")]
        if not owners:
            if file.startswith("docs/") or file.endswith(".md"):
                continue
            return list(workspace.members)
        touched |= {owner.name for owner in owners}
    return [each.name for each in workspace.dependants(touched)]

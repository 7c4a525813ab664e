"""The workspace as its pyproject files say it: members, what each builds on, the teams' parts."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from release.errors import ReleaseError


@dataclass(frozen=True)
class Member:
    """One package of the workspace.

    Args:
        folder: relative to the workspace. needs: the members that it depends on.
    """

    name: str
    folder: str
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """What one team releases under one tag.

    Args:
        name: of the part, and so of its tags: <name>-v<version>.
        team: who releases it. members: the packages that it consists of.
        changelog: relative to the workspace. image: a command that builds its image, if any.
        paths: what belongs to it besides its members' folders.
    """

    name: str
    team: str
    members: tuple[str, ...]
    changelog: str
    image: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def tag(self, version: str) -> str:
        """The tag of a version."""
        return f"{self.name}-v{version}"


@dataclass(frozen=True)
class Workspace:
    """The workspace in a folder."""

    root: Path
    members: Mapping[str, Member]
    parts: Mapping[str, Part]

    def part(self, name: str) -> Part:
        """The part of that name.

        Raises:
            ReleaseError: there is none.
        """
        if name not in self.parts:
            raise ReleaseError(f"there is no part {name!r}; there are {', '.join(self.parts)}")
        return self.parts[name]

    def needed(self, names: Iterable[str]) -> list[Member]:
        """Those members and all that they build on, each once."""
        found: dict[str, Member] = {}
        waiting = list(names)
        while waiting:
            member = self.members[waiting.pop(0)]
            if member.name not in found:
                found[member.name] = member
                waiting += member.needs
        return list(found.values())

    def dependants(self, names: Iterable[str]) -> list[Member]:
        """Those members and all that build on them."""
        wanted = set(names)
        return [
            member
            for member in self.members.values()
            if wanted & {each.name for each in self.needed([member.name])}
        ]


def read_workspace(root: Path) -> Workspace:
    """Read the workspace in `root`.

    Raises:
        ReleaseError: no workspace there, or a part names a member that does not exist.
    """
    try:
        settings = _toml(root / "pyproject.toml")["tool"]
        patterns, parts = settings["uv"]["workspace"]["members"], settings["release"]["parts"]
    except (FileNotFoundError, KeyError) as error:
        raise ReleaseError(
            f"{root} is no workspace with [tool.release.parts]: run this inside a clone of it"
        ) from error
    folders = [
        folder
        for pattern in patterns
        for folder in sorted(root.glob(pattern))
        if (folder / "pyproject.toml").is_file()
    ]
    projects = {folder: _toml(folder / "pyproject.toml")["project"] for folder in folders}
    names = {project["name"] for project in projects.values()}
    members = {
        project["name"]: Member(
            project["name"], folder.relative_to(root).as_posix(), tuple(_needs(project, names))
        )
        for folder, project in projects.items()
    }
    found = {
        name: Part(
            name=name,
            team=said["team"],
            members=tuple(said["members"]),
            changelog=said["changelog"],
            image=tuple(said.get("image", ())),
            paths=tuple(said.get("paths", ())),
        )
        for name, said in parts.items()
    }
    for part in found.values():
        for member in part.members:
            if member not in members:
                raise ReleaseError(
                    f"part {part.name} of [tool.release.parts] names {member}, "
                    "which is no member of the workspace"
                )
    return Workspace(root, members, found)


def _needs(project: Mapping[str, Any], names: set[str]) -> list[str]:
    extras = project.get("optional-dependencies", {}).values()
    said = [*project.get("dependencies", ()), *(each for extra in extras for each in extra)]
    needed = (Requirement(each).name for each in said)
    return [name for name in dict.fromkeys(needed) if name in names and name != project["name"]]


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))

"""The edge to git: tags, commits, the state of the tree."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from release.errors import ReleaseError


@dataclass(frozen=True)
class Commit:
    """One commit: its short hash and its first line."""

    sha: str
    subject: str


class Repository:
    """The git repository of a workspace."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *arguments: str) -> str:
        """Run git; what it printed.

        Raises:
            ReleaseError: git refused; the text has its own words.
        """
        done = subprocess.run(
            ["git", "-C", str(self.root), *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ReleaseError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def releases(self, part: str) -> list[Version]:
        """The versions of a part that have a tag in this history, oldest first."""
        prefix = f"{part}-v"
        found = []
        for tag in self.git("tag", "--list", f"{prefix}*", "--merged", "HEAD").split():
            try:
                found.append(Version(tag.removeprefix(prefix)))
            except InvalidVersion as error:
                raise ReleaseError(
                    f"tag {tag} names no version: delete it, or rename it to {prefix}1.2.3"
                ) from error
        return sorted(found)

    def commits(self, since: str | None, paths: Sequence[str]) -> list[Commit]:
        """The commits after a tag that touch the paths, newest first."""
        span = f"{since}..HEAD" if since else "HEAD"
        lines = self.git("log", "--format=%h%x09%s", span, "--", *paths).splitlines()
        return [Commit(*line.split("\t", 1)) for line in lines]

    def changed(self, since: str) -> list[str]:
        """The files that differ between a commit and the tree, committed or not."""
        committed = self.git("diff", "--name-only", since, "--").splitlines()
        return sorted({*committed, *self.untracked()})

    def untracked(self) -> list[str]:
        """Files that git does not know and does not ignore."""
        return self.git("ls-files", "--others", "--exclude-standard").splitlines()

    def dirty(self) -> list[str]:
        """What differs from the last commit, a line a file."""
        return self.git("status", "--porcelain").splitlines()

    def commit(self, message: str, paths: Iterable[str]) -> None:
        """Commit just these files."""
        self.git("commit", "--quiet", "--message", message, "--", *paths)

    def tag(self, name: str, message: str) -> None:
        """Make an annotated tag of the last commit."""
        self.git("tag", "--annotate", "--message", message, name)

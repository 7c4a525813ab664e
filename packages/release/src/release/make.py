"""Makes one release: checks, changelog section, commit, tag, wheel and sdist or image, SBOM."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.version import Version

from release import changelog
from release.errors import ReleaseError
from release.repository import Repository
from release.standing import Standing
from release.workspace import Part, Workspace

_PYTEST_FOUND_NONE = 5


@dataclass(frozen=True)
class Stage:
    """One stage of a release, and what it does in words."""

    says: str
    run: Callable[[], None]
    check: bool = False


@dataclass
class Release:
    """The next release of a part.

    Args:
        dist: where wheel, sdist and SBOM go. tests: whether to run the tests before.
    """

    workspace: Workspace
    repository: Repository
    standing: Standing
    dist: Path
    tests: bool = True
    made: list[Path] = field(default_factory=list)
    _recorded: bool = field(default=False, init=False)

    @property
    def part(self) -> Part:
        """What is released."""
        return self.standing.part

    @property
    def version(self) -> Version:
        """The version that is made.

        Raises:
            ReleaseError: the changelog says of no change.
        """
        if self.standing.following is None:
            raise ReleaseError(
                f"{self.part.changelog} has nothing below [Unreleased]: write what changed for its "
                "users there (### Added, ### Changed, ### Fixed, ...), and the version follows"
            )
        return self.standing.following

    @property
    def tag(self) -> str:
        """The release's tag."""
        return self.part.tag(str(self.version))

    def stages(self) -> Iterator[Stage]:
        """All stages in their order; those that only look come first."""
        yield Stage("check that nothing is left to commit", self._check_clean, check=True)
        yield Stage("check that uv.lock is up to date", self._check_lock, check=True)
        if self.tests:
            for member in self.workspace.dependants(self.part.members):
                command = test_command([member.folder])
                yield Stage(f"test: {' '.join(command)}", _runner(self, command, tests=True))
        yield Stage(
            f"write section {self.version} of {self.part.changelog}, commit, tag {self.tag}",
            self._record,
        )
        for command in build_commands(self.part, str(self.version), self.dist):
            yield Stage(f"build: {' '.join(command)}", _runner(self, command))

    def make(self, tell: Callable[[str], None]) -> None:
        """Go through all stages; what fails after the tag takes tag and commit back.

        Raises:
            ReleaseError: a stage failed.
        """
        head = self.repository.git("rev-parse", "HEAD").strip()
        before = set(self.dist.glob("*"))
        try:
            for stage in self.stages():
                tell(stage.says)
                stage.run()
        except BaseException:
            if self._recorded:
                self._take_back(head)
            raise
        self.made = sorted(set(self.dist.glob("*")) - before)

    def _take_back(self, head: str) -> None:
        if self._is_tagged():
            self.repository.git("tag", "--delete", self.tag)
        self.repository.git("reset", "--quiet", "--keep", head)
        # It may be changed and not committed yet; the tree was clean before.
        self.repository.git("checkout", "--quiet", head, "--", self.part.changelog)

    def _is_tagged(self) -> bool:
        return bool(self.repository.git("tag", "--list", self.tag).strip())

    def _check_clean(self) -> None:
        if dirty := self.repository.dirty():
            raise ReleaseError(
                "not committed: "
                + ", ".join(line[3:] for line in dirty[:5])
                + ". A release is made "
                "of commits: commit or stash first"
            )

    def _check_lock(self) -> None:
        self.run(["uv", "lock", "--check", "--quiet"])

    def _record(self) -> None:
        if self._is_tagged():
            raise ReleaseError(
                f"there is a tag {self.tag} already, outside of this branch's history: merge it"
            )
        self._recorded = True
        path = self.workspace.root / self.part.changelog
        changelog.close(path, self.version)
        self.repository.commit(f"Release {self.part.name} {self.version}", [self.part.changelog])
        self.repository.tag(self.tag, changelog.section(path, self.version))

    def run(self, command: Sequence[str], *, tests: bool = False) -> None:
        """Run a program in the workspace; its output is the user's to see.

        Raises:
            ReleaseError: it failed.
        """
        run(self.workspace.root, command, well=(0, _PYTEST_FOUND_NONE) if tests else (0,))


def build_commands(part: Part, version: str, dist: Path) -> Iterator[list[str]]:
    """What makes the files of a part's release: wheel, sdist, SBOM of each member, its image."""
    for member in part.members:
        yield ["uv", "build", "--quiet", "--package", member, "--out-dir", str(dist)]
        sbom = dist / f"{member.replace('-', '_')}-{version}.cdx.json"
        export = ["uv", "export", "--quiet", "--frozen", "--no-dev", "--package", member]
        yield [*export, "--format", "cyclonedx1.5", "--output-file", str(sbom)]
    if part.image:
        yield list(part.image)


def run(root: Path, command: Sequence[str], *, well: Sequence[int] = (0,)) -> None:
    """Run a program in the workspace; its output is the user's to see.

    Args:
        well: the exit codes that count as success.

    Raises:
        ReleaseError: it failed.
    """
    sys.stdout.flush()
    done = subprocess.run(command, cwd=root, check=False)
    if done.returncode not in well:
        raise ReleaseError(f"{' '.join(command)} ended with {done.returncode}; its words are above")


def test_command(folders: Sequence[str]) -> list[str]:
    """The command that runs the tests in some folders."""
    return ["uv", "run", "--all-packages", "pytest", "-q", *folders]


def _runner(release: Release, command: Sequence[str], *, tests: bool = False) -> Callable[[], None]:
    return lambda: release.run(command, tests=tests)

"""`release status`, `release make PART`, `release at TAG COMMAND`, `release build TAG`,
`release affected SINCE`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from release.checkout import run_at
from release.errors import ReleaseError
from release.make import Release, build_commands, run, test_command
from release.repository import Repository
from release.standing import affected, standing
from release.workspace import Workspace, read_workspace


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        root = _root()
        workspace, repository = read_workspace(root), Repository(root)
        return int(options.run(options, workspace, repository))
    except ReleaseError as error:
        sys.stderr.write(f"release: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("release: stopped; what it had begun is taken back\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="release", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shown = commands.add_parser("status", help="each part: last release, changes, next version")
    shown.add_argument("part", nargs="?", help="with it: its commits and changelog entries")
    shown.set_defaults(run=_status)
    made = commands.add_parser("make", help="make a release; without --yes only say what it does")
    made.add_argument("part")
    made.add_argument("--yes", action="store_true", help="do it")
    made.add_argument("--no-tests", dest="tests", action="store_false", help="where CI ran them")
    made.add_argument(
        "--dist", type=Path, default=Path("dist"), help="where files go (%(default)s)"
    )
    made.set_defaults(run=_make)
    earlier = commands.add_parser("at", help="run a command in a checkout of an earlier release")
    earlier.add_argument("tag")
    earlier.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    earlier.set_defaults(run=_at)
    built = commands.add_parser("build", help="build the files of a release at its tag")
    built.add_argument("tag")
    built.add_argument(
        "--dist", type=Path, default=Path("dist"), help="where files go (%(default)s)"
    )
    built.set_defaults(run=_build)
    asked = commands.add_parser(
        "affected", help="members whose tests a change asks for, a line each"
    )
    asked.add_argument("since", help="a commit to compare with")
    asked.add_argument("--test", action="store_true", help="run those tests")
    asked.set_defaults(run=_affected)
    return parser


def _root() -> Path:
    done = subprocess.run(
        ["git", "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ReleaseError("this is no git repository: run it inside a clone of the workspace")
    return Path(done.stdout.strip())


def _status(options: argparse.Namespace, workspace: Workspace, repository: Repository) -> int:
    console = Console()
    if options.part:
        _print_part(console, workspace, repository, options.part)
        return 0
    table = Table("part", "team", "last release", "commits since", "below it", "next")
    for part in workspace.parts.values():
        found = standing(workspace, repository, part)
        table.add_row(
            part.name,
            part.team,
            str(found.last or "none"),
            str(len(found.own)),
            str(len(found.below)),
            str(found.following or "nothing to release"),
        )
    console.print(table)
    console.print(
        "release status PART shows the commits; release make PART what a release would do"
    )
    return 0


def _print_part(console: Console, workspace: Workspace, repository: Repository, name: str) -> None:
    found = standing(workspace, repository, workspace.part(name))
    console.print(f"{name}: last release {found.last or 'none'}, next {found.following or 'none'}")
    for title, commits in (("its own", found.own), ("of what it builds on", found.below)):
        console.print(f"commits {title}: {len(commits)}")
        for commit in commits:
            console.print(f"  {commit.sha} {commit.subject}", markup=False, highlight=False)
    for kind, texts in found.entries.items():
        console.print(f"{kind}:")
        for text in texts:
            console.print(f"  {text}", markup=False, highlight=False)


def _make(options: argparse.Namespace, workspace: Workspace, repository: Repository) -> int:
    found = standing(workspace, repository, workspace.part(options.part))
    release = Release(workspace, repository, found, options.dist.absolute(), tests=options.tests)
    if not options.yes:
        print(f"{release.part.name} {found.last or '(first)'} -> {release.version}; it would")
        for stage in release.stages():
            print(f"  {stage.says}")
            if stage.check:
                stage.run()
        print("Nothing was changed. With --yes it is done.")
        return 0
    release.make(lambda text: print(f"== {text}", flush=True))
    print(f"released {release.part.name} {release.version}, tag {release.tag}")
    for path in release.made:
        print(f"  {path}")
    print("publish it: git push --follow-tags")
    return 0


def _at(options: argparse.Namespace, workspace: Workspace, repository: Repository) -> int:
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not words:
        raise ReleaseError("which command? release at TAG COMMAND [ARGUMENT ...]")
    return run_at(repository, options.tag, words)


def _build(options: argparse.Namespace, workspace: Workspace, repository: Repository) -> int:
    name, _, version = options.tag.rpartition("-v")
    part = workspace.part(name)
    here = repository.git("tag", "--list", "--points-at", "HEAD").split()
    if options.tag not in here:
        raise ReleaseError(f"{options.tag} is not what is checked out: git checkout {options.tag}")
    for command in build_commands(part, version, options.dist.absolute()):
        run(workspace.root, command)
    return 0


def _affected(options: argparse.Namespace, workspace: Workspace, repository: Repository) -> int:
    names = affected(workspace, repository.changed(options.since))
    folders = [workspace.members[name].folder for name in names]
    if len(folders) == len(workspace.members):
        folders.append("tests")
    for folder in folders:
        print(folder)
    if options.test and folders:
        run(workspace.root, test_command(folders))
    return 0

"""A command on an earlier release: in a checkout of its tag that goes away afterwards."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from release.errors import ReleaseError
from release.repository import Repository


def run_at(repository: Repository, tag: str, command: Sequence[str]) -> int:
    """Run a command in a checkout of `tag`; returns its exit code.

    $RELEASE_WORKSPACE names the workspace that it was called from.

    Raises:
        ReleaseError: there is no such tag.
    """
    if not repository.git("tag", "--list", tag).strip():
        known = repository.git("tag", "--list", "--sort=-creatordate").split()[:5]
        raise ReleaseError(
            f"there is no release {tag}; the newest are {', '.join(known) or 'none'}"
        )
    with tempfile.TemporaryDirectory(prefix=f"{tag}-") as folder:
        tree = Path(folder) / "workspace"
        repository.git("worktree", "add", "--quiet", "--detach", str(tree), tag)
        try:
            # A virtual environment that is active belongs to the workspace of today.
            environ = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
            environ["RELEASE_WORKSPACE"] = str(repository.root)
            return subprocess.run(command, cwd=tree, env=environ, check=False).returncode
        finally:
            repository.git("worktree", "remove", "--force", str(tree))

"""A clone of this workspace that a test may change: real git, real builds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UV = os.environ.get("UV") or shutil.which("uv")
RELEASE = Path(sys.executable).with_name("release")


class Clone:
    """A clone of this workspace that a story may change."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        command = ["git", "clone", "--quiet", *options, f"file://{ROOT}", str(folder)]
        subprocess.run(command, check=True, capture_output=True)

    def run(self, *command: str, fails: bool = False, env: Mapping[str, str] | None = None) -> str:
        """What a command prints that must work, or fail.

        Args:
            env: variables beside the caller's.
        """
        identity = {f"GIT_{who}_{what}": "ann@example" for who in ("AUTHOR", "COMMITTER")
                    for what in ("NAME", "EMAIL")}  # fmt: skip
        environ = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "GIT_DIR")}
        environ["PATH"] = f"{Path(str(UV)).parent}{os.pathsep}{environ['PATH']}"
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=300,
            env={**environ, **identity, **(env or {})},
        )  # fmt: skip
        assert bool(done.returncode) == fails, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def release(
        self, *arguments: str, fails: bool = False, env: Mapping[str, str] | None = None
    ) -> str:
        """What a verb of `release` prints."""
        return self.run(str(RELEASE), *arguments, fails=fails, env=env)

    def change(self, package: str, kind: str, text: str) -> None:
        """A commit of one team: a line of code and its entry in the changelog."""
        folder = self.folder / "packages" / package
        with (folder / "src" / package / "__init__.py").open("a") as module:
            module.write(f"# {text}\n")
        log = folder / "CHANGELOG.md"
        content = log.read_text()
        assert "## [Unreleased]\n" in content
        entry = f"## [Unreleased]\n### {kind}\n- {text}\n\n"
        head, _, tail = content.partition("## [Unreleased]\n")
        # What this repository has not released itself is none of the story's.
        released = tail[tail.index("## [") :] if "## [" in tail else ""
        log.write_text(head + entry + released)
        self.run("git", "commit", "--quiet", "--all", "--message", text)

    def make(self, part: str, folder: str) -> Path:
        """Release a part; where its files are."""
        dist = self.folder.parent / folder
        self.release("make", part, "--yes", "--no-tests", "--dist", str(dist))
        return dist

"""The command docker."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from embedded.errors import StackError

SECONDS = 3600.0
"""How long a command may take: one that builds both images from nothing takes a quarter of it."""


def docker(
    words: Sequence[str],
    folder: Path,
    stdin: IO[bytes] | None = None,
    seconds: float = SECONDS,
) -> str:
    """Run `docker WORDS` in a folder and return what it printed.

    Raises StackError with the end of what it said, or when it takes longer than `seconds`.
    """
    try:
        done = subprocess.run(
            ["docker", *words], cwd=folder, capture_output=True, text=True, check=False,
            stdin=stdin or subprocess.DEVNULL, timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise StackError(
            f"`docker {' '.join(words)}` was not done within {seconds:.0f} s (DOCKER_SECONDS in "
            ".env): does the engine answer `docker info`?"
        ) from error
    except FileNotFoundError as error:
        raise StackError("there is no docker on this machine's PATH: install Docker") from error
    if done.returncode != 0:
        end = "\n".join((done.stderr or done.stdout).splitlines()[-30:])
        raise StackError(f"`docker {' '.join(words)}` failed:\n{end}")
    return done.stdout

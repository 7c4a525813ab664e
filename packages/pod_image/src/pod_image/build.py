"""Builds the image with Docker out of the workspace that this file is in."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

from pod_image import __version__

_FOLDER = Path(__file__).parents[2]
_WORKSPACE = _FOLDER.parents[1]


class BuildError(Exception):
    """The image was not built; the text says why."""


def build(tag: str, python_image: str | None = None) -> None:
    """Build the image; Docker's own progress goes to standard error.

    Raises:
        BuildError: no workspace, no Docker, or the build failed.
    """
    if not (_WORKSPACE / "uv.lock").is_file():
        raise BuildError(
            f"{_WORKSPACE} has no uv.lock: build from a clone of the workspace (uv run pod-image)"
        )
    arguments = build_arguments()
    if python_image:
        arguments["PYTHON_IMAGE"] = python_image
    command = ["docker", "build", f"--file={_FOLDER / 'Dockerfile'}", f"--tag={tag}"]
    command += [f"--build-arg={name}={value}" for name, value in arguments.items()]
    try:
        done = subprocess.run([*command, str(_WORKSPACE)], check=False)
    except FileNotFoundError as error:
        raise BuildError("there is no docker on PATH: install Docker with buildx") from error
    if done.returncode:
        raise BuildError(f"docker build ended with {done.returncode}; its own words are above")


def build_arguments() -> dict[str, str]:
    """What the image's labels say: there is no git where it is built."""
    return {
        "VERSION": __version__,
        "METAFLOW_AIRFLOW_VERSION": version("metaflow-airflow"),
        "REVISION": _revision(),
    }


def default_tag() -> str:
    """The image's name by its version; a tag of Docker's takes no `+`."""
    return f"platform/pod:{__version__.replace('+', '-')}"


def _revision() -> str:
    """The commit, marked where files differ from it; empty outside git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(_WORKSPACE), "describe", "--always", "--abbrev=40", "--dirty"],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
    except FileNotFoundError:
        return ""
    return done.stdout.strip()

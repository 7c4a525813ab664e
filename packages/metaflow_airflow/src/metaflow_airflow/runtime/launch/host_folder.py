"""Where launchers of one user keep things on one host: <temp>/metaflow-airflow-<uid>/."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from ..failures import LaunchError

ROOT_VARIABLE = "METAFLOW_AIRFLOW_TMPDIR"
"""Names another folder than the temp dir."""


def host_directory() -> Path:
    """The folder, of mode 0700.

    Raises:
        LaunchError: somebody else's, open to others, or not to be made.
    """
    base = Path(os.environ.get(ROOT_VARIABLE) or tempfile.gettempdir())
    path = base / f"metaflow-airflow-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise LaunchError(
            f"The folder {path} for running steps cannot be made: {error.strerror}. Set "
            f"{ROOT_VARIABLE} to a folder that this user can write."
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise LaunchError(
            f"{path} belongs to somebody else. Set {ROOT_VARIABLE} to another folder."
        )
    if found.st_mode & 0o022:
        raise LaunchError(
            f"Other users can write into {path}, which has the code of steps: remove it, or set "
            f"{ROOT_VARIABLE} to another folder."
        )
    if found.st_mode & 0o077:
        path.chmod(0o700)
    return path

"""The virtual environment that flow steps run in: the flows' own, without Airflow."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from embedded.errors import StackError
from embedded.state import State

_STAMP = ".synced"
_MEMBERS = ("packages/ml_flows", "packages/metaflow_airflow")


def workspace() -> Path:
    """Return the root of the checkout this package is installed from.

    Raises StackError when it was installed otherwise: the flows are part of the checkout.
    """
    for folder in (*Path(__file__).resolve().parents, *Path.cwd().resolve().parents, Path.cwd()):
        if (folder / "uv.lock").exists() and (folder / _MEMBERS[0]).is_dir():
            return folder
    raise StackError(
        "cannot find the platform's checkout (uv.lock and packages/ml_flows) above "
        f"{Path(__file__).parent} or {Path.cwd()}: run this from the checkout"
    )


def uv() -> str:
    """Return the path of uv: the one that runs this, else the one on PATH."""
    found = os.environ.get("UV") or shutil.which("uv")
    if found is None:
        raise StackError(
            "uv is neither in $UV nor on PATH: start this through it, `uv run stack …`"
        )
    return found


def is_current(state: State, root: Path) -> bool:
    """Say whether the environment exists and was made from the present lock."""
    stamp = state.flows_env / _STAMP
    return (
        state.flows_python.exists() and stamp.exists() and stamp.read_text() == _fingerprint(root)
    )


def start_sync(state: State, root: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start making the environment; `finish_sync` takes its end."""
    command = [
        # Inexact: what somebody installed there for a flow stays.
        uv(), "sync", "--inexact", "--frozen", "--no-dev", "--package", "ml-flows", "--no-progress",
        "--python", getattr(sys, "_base_executable", sys.executable),
    ]  # fmt: skip
    with state.log("flows-env").open("wb") as log:
        return subprocess.Popen(
            command, cwd=root, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=env | {"UV_PROJECT_ENVIRONMENT": str(state.flows_env)},
        )  # fmt: skip


def finish_sync(state: State, root: Path, returncode: int) -> None:
    """Write the stamp of an environment that was made; raises StackError when it was not."""
    if returncode != 0:
        log = state.log("flows-env")
        raise StackError(
            f"uv could not make the flows' environment {state.flows_env}:\n"
            f"{log.read_text(errors='replace')[-2000:]}"
        )
    (state.flows_env / _STAMP).write_text(_fingerprint(root))


def _fingerprint(root: Path) -> str:
    digest = hashlib.sha256(sys.version.encode())
    digest.update(str(root).encode())
    for path in ("uv.lock", *(f"{member}/pyproject.toml" for member in _MEMBERS)):
        digest.update((root / path).read_bytes())
    return digest.hexdigest()

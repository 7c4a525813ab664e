"""--environment=uv: each step runs in the environment of the flow's own lock file."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import FLOWS

pytestmark = pytest.mark.stack

# Another version than the one that pytest brings.
PROJECT = """
[project]
name = "isolated"
version = "0"
requires-python = ">=3.11"
dependencies = ["iniconfig==2.0.0"]
"""


def test_steps_run_in_the_environment_of_the_lock_file(bridge, tmp_path):
    flow = Path(shutil.copy(FLOWS / "isolated.py", tmp_path))
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    uv = Path(os.environ["UV"])  # set by `uv run`
    subprocess.run([uv, "lock", "--python", sys.executable], cwd=tmp_path, check=True)
    path = f"{Path(sys.executable).parent}:{uv.parent}:{os.defpath}"

    bridge.flow(
        flow,
        "--environment=uv",
        f'--with=environment:vars={{"PATH": "{path}"}}',
        "airflow",
        "create",
        cwd=tmp_path,
    )
    bridge.client.set_paused("Isolated", False)
    start = bridge.artifacts(f"Isolated/{bridge.run('Isolated')}")["start"]

    assert start["version"] == "'2.0.0'"
    assert "/.venv/bin/python" in start["executable"]
    assert not start["executable"].startswith(repr(sys.prefix)[:-1])

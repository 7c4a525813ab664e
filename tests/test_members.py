"""Each team's package runs in an environment of its own, without the other team's framework."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
UV = os.environ.get("UV") or shutil.which("uv")

pytestmark = pytest.mark.skipif(UV is None, reason="uv is neither in $UV nor on PATH")


def alone(member: str, environment: Path, *command: str) -> str:
    """Run a command by `uv run --package MEMBER`; what it printed."""
    done = subprocess.run(
        [str(UV), "run", "--frozen", "--no-dev", "--quiet", "--package", member, *command],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
        env={
            **{n: v for n, v in os.environ.items() if n not in ("VIRTUAL_ENV", "PYTHONPATH")},
            "UV_PROJECT_ENVIRONMENT": str(environment / "venv"),
            "METAFLOW_USER": "tester",
            "METAFLOW_HOME": str(environment / "metaflow"),
        },
    )  # fmt: skip
    assert done.returncode == 0, f"{member}: {command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def missing(member: str, environment: Path, *modules: str) -> set[str]:
    """The modules that cannot be imported there."""
    ask = "import sys\nfrom importlib.util import find_spec\n"
    ask += "print(*(name for name in sys.argv[1:] if find_spec(name) is None))"
    return set(alone(member, environment, "python", "-c", ask, *modules).split())


def test_data_engineering_publishes_where_there_is_no_metaflow(tmp_path: Path) -> None:
    modules = ("metaflow", "metaflow_airflow", "ml_flows")
    assert missing("data-engineering", tmp_path, *modules, "airflow") == set(modules)

    said = alone(
        "data-engineering", tmp_path, "python", "-m", "data_engineering", "--cab", "green",
        "--month", "2024-01", "--source", "generator", "--rows", "2000",
        "--root", str(tmp_path / "data"),
    )  # fmt: skip

    assert "rows read" in said
    assert (tmp_path / "data/made-up/features/green/2024-01/current.json").is_file()


def test_the_flows_load_where_there_is_no_airflow(tmp_path: Path) -> None:
    modules = ("airflow", "data_engineering", "embedded", "pipeline")
    assert missing("ml-flows", tmp_path, *modules, "metaflow") == set(modules)

    for flow in ("train", "predict"):
        file = f"packages/ml_flows/src/ml_flows/{flow}_trip_duration.py"
        assert "Step start" in alone("ml-flows", tmp_path, "python", file, "show")

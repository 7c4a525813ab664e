"""A step runs from its code package in a Python that has the libraries but not ml_flows."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import tarfile
import venv
from pathlib import Path

import pytest
from metaflow.package import MetaflowPackage

from .conftest import FLOWS, RUN_WITHIN, Site, trips


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Another Python: the libraries are there, ml_flows and the bridge are not installed."""
    venv.create(tmp_path / "elsewhere", with_pip=False)
    python = tmp_path / "elsewhere" / "bin" / "python"
    libraries = sysconfig.get_path("purelib")
    # A path in a .pth file is not searched for .pth files: workspace members stay out.
    site = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "elsewhere")}))
    (site / "libraries.pth").write_text(libraries)
    found = subprocess.run([python, "-c", "import sklearn, metaflow, polars"], check=False)
    assert found.returncode == 0
    missing = subprocess.run(
        [python, "-c", "import ml_flows"], capture_output=True, text=True, check=False
    )
    assert "No module named 'ml_flows'" in missing.stderr
    return python


def _unpack(site: Site, flow: str, target: Path) -> dict[str, str]:
    """Unpack a flow's code package; return what the environment needs to use it."""
    archive = site.directory / "package.tgz"
    site.flow(flow, "package", "save", str(archive))
    target.mkdir()
    with tarfile.open(archive) as opened:
        opened.extractall(target, filter="data")
    described = json.dumps({"version": 0, "archive_format": "tgz", "mfcontent_version": 1})
    return dict(MetaflowPackage.get_post_extract_env_vars(described, str(target)))


@pytest.mark.parametrize("flow", ["train_trip_duration", "predict_trip_duration"])
def test_the_code_package_has_the_modules_and_is_small(
    site: Site, tmp_path: Path, flow: str
) -> None:
    _unpack(site, flow, tmp_path / "code")
    modules = {path.name for path in FLOWS.glob("*.py")}
    packaged = {path.name for path in (tmp_path / "code" / ".mf_code" / "ml_flows").glob("*.py")}
    assert packaged == modules
    assert (tmp_path / "code" / f"{flow}.py").read_text() == (FLOWS / f"{flow}.py").read_text()
    assert (site.directory / "package.tgz").stat().st_size < 5_000_000


def test_steps_run_from_the_code_package_alone(site: Site, tmp_path: Path, elsewhere: Path) -> None:
    site.publish("2023-12", trips("2023-12", 1500))
    site.publish("2024-01", trips("2024-01", 500))
    code = tmp_path / "code"
    environment = site.environment | _unpack(site, "train_trip_duration", code)
    environment["PYTHONPATH"] = os.pathsep.join(
        part for part in environment["PYTHONPATH"].split(os.pathsep) if part
    )

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [elsewhere, "train_trip_duration.py", "--quiet", "--no-pylint", *arguments],
            cwd=code, env=environment, capture_output=True, text=True, timeout=RUN_WITHIN,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    where = subprocess.run(
        [elsewhere, "-c", "import ml_flows.model; print(ml_flows.model.__file__)"],
        cwd=code, env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert Path(where.strip()).is_relative_to(code)
    # As an orchestrator does it: parameters, then step by step, under ids of its own.
    run("init", "--run-id", "r-7", "--task-id", "t-0")
    run(
        "step",
        "start",
        "--run-id",
        "r-7",
        "--task-id",
        "t-1",
        "--input-paths",
        "r-7/_parameters/t-0",
    )
    task = ("--run-id", "r-7", "--task-id", "t-2", "--input-paths", "r-7/start/t-1")
    run("step", "fit", *task, "--split-index", "0")
    read = (
        "import metaflow; metaflow.namespace(None); "
        "task = metaflow.Task('TrainTripDurationFlow/r-7/fit/t-2'); "
        "print(task.successful, task['fitted'].data.trees > 0)"
    )
    assert site.python("-c", read).stdout.split() == ["True", "True"]

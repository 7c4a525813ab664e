"""What the release before made, this tree reads, and the other way round: wheels of both."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from s3_server import S3Server

ROOT = Path(__file__).parent.parent
FLOWS = ROOT / "packages/metaflow_airflow/tests/flows"
STANDS_IN = "625d0d919b"
"""The commit that counts as the release before where a part has none yet."""

TASKS = """
import json, runpy, sys
import metaflow_airflow
names = runpy.run_path(sys.argv[1])
[dag] = [value for value in names.values() if type(value).__name__ == "DAG"]
tasks = {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}
print(json.dumps([metaflow_airflow.__version__, tasks]))
"""
CHECK = """
import json, sys
from importlib.metadata import version
from ml_flows.contract import check_manifest, feature_version
manifest = json.load(open(sys.argv[1]))
found = check_manifest(manifest, "current.json", cab="green", month="2024-01")
print(json.dumps([version("ml-flows"), feature_version(found)]))
"""

Run = Callable[..., str]


def git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def release_before(part: str) -> str:
    """The newest release of a part in this history; else what stands in for it."""
    tag = git("describe", "--tags", "--abbrev=0", "--match", f"{part}-v*", "HEAD~1")
    found = tag or git("rev-parse", "--verify", "--quiet", f"{STANDS_IN}^{{commit}}")
    if not found:
        pytest.skip(f"this clone has neither a release of {part} nor {STANDS_IN} (git fetch)")
    return found


def install(part: str, folder: Path) -> str:
    """The Python of an environment with the wheel of the release before.

    What else it imports are the workspace's packages, by path: the editable part is not among them.
    """
    uv = os.environ.get("UV") or shutil.which("uv")
    if not uv:
        pytest.skip("uv is neither in $UV nor on PATH")
    source, environment = folder / "source", folder / "env"
    source.mkdir()
    archive = subprocess.run(
        ["git", "archive", release_before(part), f"packages/{part.replace('-', '_')}"],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    subprocess.run(["tar", "-x"], cwd=source, input=archive.stdout, check=True)
    scm = f"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_{part.upper().replace('-', '_')}"
    build = [
        uv,
        "build",
        "-q",
        "--wheel",
        "-o",
        str(folder),
        str(source / "packages" / part.replace("-", "_")),
    ]
    subprocess.run(build, check=True, capture_output=True, env={**os.environ, scm: "0.0.1"})
    python = str(environment / "bin/python")
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, environment], check=True)
    wheel = next(folder.glob("*.whl"))
    subprocess.run([uv, "pip", "install", "-q", "--no-deps", "--python", python, wheel], check=True)
    site = next((environment / "lib").glob("python*")) / "site-packages"
    (site / "workspace.pth").write_text(sysconfig.get_path("purelib"))
    return python


@pytest.fixture
def run(s3_server: S3Server, tmp_path: Path) -> Run:
    """Runs a Python as somebody who exports flows to S3."""
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("METAFLOW", "AWS_", "AIRFLOW", "PYTHON", "VIRTUAL_ENV"))
    }
    environment = kept | s3_server.environment | {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "METAFLOW_USER": "ann",
        "METAFLOW_HOME": str(tmp_path / "home"),
        "METAFLOW_DEFAULT_DATASTORE": "s3",
        "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{s3_server.bucket}/{tmp_path.name}",
        "METAFLOW_S3_ENDPOINT_URL": s3_server.url,
    }  # fmt: skip

    def ran(python: str, *words: str) -> str:
        done = subprocess.run(
            [python, *words], env=environment, cwd=tmp_path, capture_output=True, text=True,
            check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return ran


def answer(printed: str) -> Any:
    return json.loads(printed.splitlines()[-1])


def test_a_dag_file_is_read_by_the_bridge_before_and_after(run: Run, tmp_path: Path) -> None:
    before = install("metaflow-airflow", tmp_path)
    export = (str(FLOWS / "nested.py"), "--no-pylint", "airflow", "create")
    run(before, *export, str(tmp_path / "before.py"))
    run(sys.executable, *export, str(tmp_path / "now.py"))

    found = {
        (file, reader): answer(run(python, "-c", TASKS, str(tmp_path / f"{file}.py")))
        for file in ("before", "now")
        for reader, python in (("before", before), ("now", sys.executable))
    }

    versions = {reader: version for (_, reader), (version, _) in found.items()}
    assert versions["before"] != versions["now"], "each reads with its own"
    tasks = [tasks for _, tasks in found.values()]
    assert tasks[1:] == tasks[:-1]
    assert len(tasks[0]) > 5


@pytest.mark.parametrize("publisher", ["before", "now"])
def test_features_are_read_by_the_flows_before_and_after(
    run: Run, tmp_path: Path, publisher: str
) -> None:
    (tmp_path / "de").mkdir()
    (tmp_path / "ml").mkdir()
    before = {
        "before": install("data-engineering", tmp_path / "de"),
        "now": sys.executable,
    }
    run(
        before[publisher], "-m", "data_engineering", "--cab", "green", "--month", "2024-01",
        "--source", "generator", "--rows", "2000", "--root", str(tmp_path / "data"),
    )  # fmt: skip
    current = str(next((tmp_path / "data").rglob("current.json")))

    for python in (install("ml-flows", tmp_path / "ml"), sys.executable):
        _, version = answer(run(python, "-c", CHECK, current))
        assert version >= 1

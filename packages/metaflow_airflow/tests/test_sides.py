"""The bridge's two sides install alone: no Metaflow beside Airflow, no Airflow beside flows."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from metaflow_airflow.graph.read_graph import read_graph
from metaflow_airflow.plan.assemble import assemble
from metaflow_airflow.plan.step import Deployment
from metaflow_airflow.render import render

ROOT = Path(__file__).parents[3]
UV = os.environ.get("UV") or shutil.which("uv")

pytestmark = pytest.mark.skipif(UV is None, reason="uv is not to be found: run the tests by uv run")


@pytest.fixture(scope="module")
def install(tmp_path_factory):
    """Installs the bridge with one extra into an environment of its own; that one's Python."""

    def installed(extra):
        environment = tmp_path_factory.mktemp(extra) / "env"
        command = [str(UV), "sync", "--quiet", "--frozen", "--no-dev", "--package"]
        subprocess.run(
            [*command, "metaflow-airflow", "--extra", extra],
            cwd=ROOT,
            env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment)},
            check=True,
            timeout=300,
        )
        return environment / "bin" / "python"

    return installed


def ask(python, program, *arguments, **environment):
    done = subprocess.run(
        [str(python), "-c", program, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_airflow_loads_an_exported_dag_without_metaflow(install, flow, tmp_path):
    graph = read_graph(flow("nested"))
    deployment = Deployment(
        script="nested.py", code="s3://b/c", code_sha="c", datastore="s3", datastore_root="s3://b"
    )
    path = tmp_path / "dag.py"
    path.write_text(render(assemble(graph, deployment)))

    program = """
import importlib.util, runpy, sys
assert importlib.util.find_spec("metaflow") is None
dag = runpy.run_path(sys.argv[1])["dag"]
print(",".join(sorted(dag.task_ids)))
"""
    tasks = ask(install("airflow"), program, str(path), AIRFLOW_HOME=str(tmp_path / "airflow"))

    assert set(tasks.strip().splitlines()[-1].split(",")) == {
        *graph.steps,
        "region.items",
        "open_days.items",
    }


def test_a_flow_is_explained_without_airflow(install):
    python = install("metaflow")

    program = "import importlib.util; print(importlib.util.find_spec('airflow'))"
    assert ask(python, program).strip() == "None"
    done = subprocess.run(
        [str(python), "names.py", "--no-pylint", "--quiet", "airflow", "explain"],
        cwd=Path(__file__).parent / "flows",
        env={"PATH": os.environ["PATH"], "METAFLOW_USER": "ann", "HOME": "/tmp"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "step middle, after begin" in done.stdout, done.stdout + done.stderr

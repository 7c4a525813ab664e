"""Metaflow's own user-level tests for orchestrators, where its source tree is at hand.

METAFLOW_SOURCE=/path/to/metaflow (a checkout of the version that is installed) runs them; they are
neither copied nor changed. Their settings are read with omegaconf (`uv run --with omegaconf`).
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SOURCE = os.environ.get("METAFLOW_SOURCE", "")

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(not SOURCE, reason="METAFLOW_SOURCE names no Metaflow source tree"),
    pytest.mark.skipif(not find_spec("omegaconf"), reason="omegaconf is not installed"),
]


def test_the_flows_and_tests_of_metaflow_pass(bridge, tmp_path):
    suite = Path(SOURCE) / "test" / "ux"
    environment = {
        **bridge.environment,
        # Its conftest would fill these in with its own servers.
        "METAFLOW_PROFILE": "",
        "AWS_ENDPOINT_URL_S3": bridge.environment["AWS_ENDPOINT_URL"],
        "TMPDIR": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # The tests with conda's mark need conda itself; those that compile call DagBag as Airflow 2 has
    # it wherever Airflow can be imported.
    options = [
        "--ignore=core/test_airflow_compilation.py",
        "--ignore=core/test_sfn_compilation.py",
        "--ignore=core/test_argo_compilation.py",
        "--scheduler-type=airflow",
        "--exec-mode=deployer",
        "-p",
        "no:cacheprovider",
        "-ra",
        "-q",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", "pytest.ini", "core", *options, "-m", "not conda"],
        cwd=suite,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]

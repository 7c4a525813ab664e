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


@pytest.fixture
def suite(bridge, tmp_path):
    """Runs some of the tests; what they printed, which ends with their summary."""

    def run(*options, **environment):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-c", "pytest.ini", "-p", "no:cacheprovider"),
                *("-ra", "-q", "--scheduler-type=airflow", "--exec-mode=deployer", *options),
            ],
            cwd=Path(SOURCE) / "test" / "ux",
            env={
                **bridge.environment,
                # Its conftest would fill these in with its own servers.
                "METAFLOW_PROFILE": "",
                "AWS_ENDPOINT_URL_S3": bridge.environment["AWS_ENDPOINT_URL"],
                "TMPDIR": str(tmp_path),
                "PYTHONDONTWRITEBYTECODE": "1",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
        return done.stdout

    return run


def test_the_flows_and_tests_of_metaflow_pass(suite):
    # Those with conda's mark need conda's channels; those that compile come below, those for other
    # orchestrators not at all.
    others = ("airflow", "sfn", "argo")
    ignored = [f"--ignore=core/test_{name}_compilation.py" for name in others]

    suite("core", *ignored, "-m", "not conda")


def test_what_metaflow_asks_of_a_compiled_file_holds(suite, tmp_path):
    """Without Airflow beside it: these tests call DagBag as Airflow 2 has it where they find one.

    That Airflow 3 loads such files is what all other tests here begin with.
    """
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "airflow.py").write_text("raise ImportError('hidden from these tests')\n")

    said = suite("core/test_airflow_compilation.py", PYTHONPATH=str(hidden))

    assert "skipped" not in said.splitlines()[-1], said

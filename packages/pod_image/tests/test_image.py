"""The image as Docker builds it: what is in it, who it runs as, what a change rebuilds."""

import json
import os
import shutil
import subprocess

import pod_image
import pytest

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]
TAG = "platform/pod:test"


def docker(*arguments, check=True):
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _succeeds(*arguments):
    done = subprocess.run(["docker", *arguments], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture(scope="module")
def image():
    if (
        not shutil.which("docker")
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no Docker engine answers")
    base = os.environ.get("PYTHON_IMAGE", "python:3.11-slim-bookworm")
    if not (_succeeds("image", "inspect", base) or _succeeds("pull", base)):
        pytest.skip(f"the base image {base} is neither here nor to be had: set PYTHON_IMAGE")
    command = ["pod-image", "build", f"--tag={TAG}", f"--python-image={base}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    yield json.loads(docker("image", "inspect", TAG))[0]
    docker("image", "rm", "--force", TAG)


def test_all_that_is_inside_can_be_imported(image):
    lines = docker("run", "--rm", "--read-only", "--tmpfs=/tmp", "--network=none", TAG).splitlines()

    assert {line.split()[0] for line in lines} == {"ok"}
    for module in ("metaflow", "polars", "sklearn", "metaflow_airflow"):
        assert any(line.startswith(f"ok     import {module}") for line in lines), module


def test_it_is_nobody_special_and_says_what_it_is_made_of(image):
    labels = image["Config"]["Labels"]

    assert image["Config"]["User"] == "1000"
    assert labels["org.opencontainers.image.version"] == pod_image.__version__
    assert len(labels["org.opencontainers.image.revision"]) >= 40


def test_no_flow_no_airflow_and_no_secret_is_inside(image):
    script = (
        "import importlib.util as u, os; "
        "print([m for m in ('airflow', 'ml_flows', 'data_engineering') if u.find_spec(m)], "
        "[n for n in os.environ if 'SECRET' in n or 'PASSWORD' in n or 'TOKEN' in n])"
    )

    assert docker("run", "--rm", TAG, "python", "-c", script).strip() == "[] []"
    history = docker("history", "--no-trunc", "--format={{.CreatedBy}}", TAG)
    assert "proxy" not in history.lower()

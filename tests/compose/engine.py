"""Asking Docker and the cluster, and what of both is here."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
STANDINS = "compose.yaml:tests/compose/standins.yaml"
# Also Metaflow's: its UI has no stand-in.
ALL_STANDINS = f"{STANDINS}:tests/compose/standin-metadata.yaml"
# Of files at once (pytest -n) each has a stack of its own.
PROJECT = "-".join(filter(None, ("platform-test", os.environ.get("PYTEST_XDIST_WORKER"))))
KUBECONFIG = os.environ.get("KUBECONFIG", "")
POD_IMAGE = "platform/pod:local"
METADATA_IMAGE = "public.ecr.aws/outerbounds/metaflow_metadata_service:v2.5.1"
NO_METAFLOW = f"{METADATA_IMAGE} is neither here nor can it be pulled: "
_PULL = 300


def has_docker() -> bool:
    return (
        shutil.which("docker") is not None
        and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
    )


def succeeds(*words: str) -> bool:
    try:
        done = subprocess.run(["docker", *words], capture_output=True, check=False, timeout=_PULL)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def has_image(name: str) -> bool:
    return succeeds("image", "inspect", name)


@cache
def has_metaflow() -> bool:
    """Whether Metaflow's own image is here, or can be pulled."""
    return has_image(METADATA_IMAGE) or succeeds("pull", "--quiet", METADATA_IMAGE)


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(
        ["docker", *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0 or not check, f"docker {words}:\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def kubectl(*words: str, check: bool = True) -> str:
    """Ask the cluster about the namespace of the steps."""
    program = shutil.which("kubectl")
    assert program, "there is no kubectl on the PATH"
    done = subprocess.run(
        [program, "--namespace", "flows", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 or not check, f"kubectl {words}:\n{done.stderr}"
    return done.stdout


def needs_cluster(test: Callable[..., None]) -> Any:
    reason = "no cluster: $KUBECONFIG is not set"
    return pytest.mark.cluster(pytest.mark.skipif(not KUBECONFIG, reason=reason)(test))

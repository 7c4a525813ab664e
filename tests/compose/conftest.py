"""The stack in containers, made for these tests: a project, passwords and volumes of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from embedded.state import State
from pipeline.targets.compose import ComposeTarget

ROOT = Path(__file__).resolve().parents[2]
STANDINS = "compose.yaml:tests/compose/standins.yaml"
# Also Metaflow's: its UI has no stand-in.
ALL_STANDINS = f"{STANDINS}:tests/compose/standin-metadata.yaml"
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


def kubectl(*words: str) -> str:
    """Ask the cluster about the namespace of the steps."""
    program = shutil.which("kubectl")
    assert program, "there is no kubectl on the PATH"
    done = subprocess.run(
        [program, "--namespace", "flows", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"kubectl {words}:\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The .env of this test's own stack, which all `docker compose` of this module read."""
    file = tmp_path_factory.mktemp("compose") / ".env"
    with pytest.MonkeyPatch.context() as patch:
        subprocess.run([sys.executable, ROOT / "services/env.py", file], check=True)
        patch.setenv("COMPOSE_ENV_FILES", str(file))
        patch.setenv("COMPOSE_PROJECT_NAME", "platform-test")
        patch.setenv("COMPOSE_FILE", STANDINS if has_metaflow() else ALL_STANDINS)
        if KUBECONFIG:
            server = yaml.safe_load(Path(KUBECONFIG).read_text())["clusters"][0]["cluster"][
                "server"
            ]
            patch.setenv("COMPOSE_PROFILES", "cluster")
            patch.setenv("KUBECONFIG_FILE", KUBECONFIG)
            # A one-node cluster on this machine: its pods reach us where its server listens.
            patch.setenv("PODS_BIND_ADDRESS", str(urlsplit(server).hostname))
        yield file


@pytest.fixture(scope="module")
def target(settings: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeTarget]:
    if not has_metaflow():
        print(f"{NO_METAFLOW}tests/compose/metadata stands in for the service")
    if KUBECONFIG and not has_image(POD_IMAGE):
        pytest.skip(f"{POD_IMAGE}, in which steps run as pods, is not built")
    state = tmp_path_factory.mktemp("state")
    # What a session that was killed left has passwords of its own.
    docker("compose", "down", "--volumes", "--timeout", "10")
    if KUBECONFIG:
        kubectl("delete", "pods", "--all", "--wait=false")
    try:
        yield ComposeTarget(State.at(state), lambda name, text: None)
    finally:
        print(docker("compose", "down", "--volumes", "--timeout", "10", check=False))

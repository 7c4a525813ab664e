"""The stack in containers, made for these tests: a project, passwords and volumes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from embedded.state import State
from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.wire.ids import run_id
from pipeline.targets.compose import ComposeTarget
from waiting import until

from .engine import (
    ALL_STANDINS,
    KUBECONFIG,
    NO_METAFLOW,
    POD_IMAGE,
    PROJECT,
    ROOT,
    STANDINS,
    docker,
    has_image,
    has_metaflow,
    kubectl,
)
from .runs import attempts, create, end_of, ended, said, task_of, trigger
from .shooting import Shooting, Shot, crash, in_mid_step, restart, running_pods

TROUBLED = Path(__file__).parent / "troubled.py"


@pytest.fixture(scope="package")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The .env of this test's own stack, which all `docker compose` of these tests read."""
    file = tmp_path_factory.mktemp("compose") / ".env"
    with pytest.MonkeyPatch.context() as patch:
        subprocess.run([sys.executable, ROOT / "services/env.py", file], check=True)
        patch.setenv("COMPOSE_ENV_FILES", str(file))
        patch.setenv("COMPOSE_PROJECT_NAME", PROJECT)
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


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="package")
def ran(target: ComposeTarget) -> list[str]:
    """The pipeline's output; servers are killed and restarted while it runs."""
    at: dict[str, Callable[[], object]]
    if KUBECONFIG:
        at = {
            r"TrainTripDurationFlow +start +deferred": lambda: in_mid_step(
                lambda: crash("triggerer")
            ),
            # A process on a worker dies with the scheduler's container; a pod does not.
            r"TrainTripDurationFlow +choose +deferred": lambda: in_mid_step(
                lambda: crash("scheduler")
            ),
            r"PredictTripDurationFlow +\w+ +deferred": lambda: restart("postgres", "minio"),
        }
    else:
        at = {
            r"TrainTripDurationFlow +\w+ +running": lambda: crash("triggerer"),
            r"PredictTripDurationFlow +\w+ +running": lambda: restart("postgres", "minio"),
        }
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "pipeline", "--target", "compose", "--keep",
         "--state", str(target.state.root), "--source", "generator", "--rows", "4000"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    shooting = Shooting(process, at)
    try:
        shooting.start()
        shooting.join(1500)
        assert process.wait(30) == 0, "".join(shooting.lines[-60:])
    finally:
        process.terminate()  # nothing, where it has ended
        process.wait(60)
    assert shooting.error is None, shooting.error
    assert not shooting.missed
    return shooting.lines


@pytest.fixture(scope="package")
def api(ran: list[str], target: ComposeTarget) -> AirflowClient:
    """Airflow, after the pipeline."""
    return AirflowClient(target.airflow_url, *target.airflow_login)


@pytest.fixture(scope="package")
def airflow(target: ComposeTarget) -> AirflowClient:
    """Airflow, whether the pipeline ran there or not."""
    if not target.is_running:
        target.bring_up()
    return AirflowClient(target.airflow_url, *target.airflow_login)


@pytest.fixture(scope="package")
def shot(api: AirflowClient, target: ComposeTarget) -> Shot:
    """A step that runs until it is told to end; its pod outlives what is around it."""

    def says(line: str) -> bool:
        return any(line in each for each in said(api, task_of(api, "Troubled", run)))

    create(target, TROUBLED, "--with", "kubernetes:cpu=0.25")
    run = trigger(api, "Troubled", {"how": "steady"})
    try:
        until(lambda: says("second 3"), "the step's log in Airflow")
        (name,) = running_pods("Troubled")
        for shoot in (
            lambda: crash("triggerer"),
            lambda: crash("scheduler"),
            lambda: restart("postgres", "minio"),
        ):
            in_mid_step(shoot, "Troubled")
            docker("compose", "up", "--detach", "--wait")
        lines = said(api, task_of(api, "Troubled", run))
        pod = json.loads(kubectl("get", name, "--output", "json"))
        kubectl("exec", name, "--", "touch", "/tmp/enough")
        state = end_of(api, "Troubled", run)
        start = task_of(api, "Troubled", run)
        (numbers,) = (
            each
            for task, each in attempts(target, "Troubled", run_id("Troubled", run)).items()
            if task.startswith("start/")
        )
        return Shot(pod, lines, said(api, start), state, start["try_number"], numbers)
    finally:
        ended(api, "Troubled", run)


@pytest.fixture
def fails(api: AirflowClient, target: ComposeTarget) -> Callable[..., str]:
    """Runs the flow Troubled with a trouble until it has failed; the log of the step that did."""

    def run(how: str, kubernetes: str) -> str:
        create(target, TROUBLED, "--with", f"kubernetes:{kubernetes}")
        name = trigger(api, "Troubled", {"how": how})
        try:
            assert end_of(api, "Troubled", name) == "failed"
            start = task_of(api, "Troubled", name)
            assert start["try_number"] == 1
            return "\n".join(said(api, start))
        finally:
            ended(api, "Troubled", name)

    return run

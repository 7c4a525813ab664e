"""The stack in containers, for real: the pipeline runs through it while its parts are shot at.

Without a registry, images that cannot be pulled are stood in for (standins.yaml). With $KUBECONFIG
the steps run as pods there, otherwise as processes on Airflow's worker.

    uv run pytest tests/compose/test_stack.py
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from embedded.airflow_api import AirflowApi
from embedded.compose import ComposeTarget

from .conftest import KUBECONFIG, ROOT, STANDINS, docker, has_docker, kubectl

TRAIN = "trip_duration.prod.TrainTripDurationFlow"
TROUBLED = Path(__file__).parent / "troubled.py"

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not has_docker(), reason="no Docker engine answers"),
]


@pytest.mark.parametrize("profile", ["", "k3s", "cluster"])
@pytest.mark.parametrize("files", ["compose.yaml", STANDINS])
def test_the_files_are_valid(
    settings: Path, monkeypatch: pytest.MonkeyPatch, profile: str, files: str
) -> None:
    monkeypatch.setenv("COMPOSE_PROFILES", profile)
    monkeypatch.setenv("COMPOSE_FILE", files)

    model = json.loads(docker("compose", "config", "--format", "json"))

    assert ("k3s" in model["services"], "cluster-init" in model["services"]) == (
        profile == "k3s", profile != "",
    )  # fmt: skip
    assert {"postgres", "minio", "metadata", "metaflow-ui", "api-server"} <= set(model["services"])


def until(condition: Callable[[], object], what: str, within: float = 180) -> Any:
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not come within {within} s"
        time.sleep(0.5)
    return found


class Shooting(threading.Thread):
    """Prints what the pipeline says, and does something once at a line of it."""

    def __init__(self, process: subprocess.Popen[str], at: dict[str, Callable[[], object]]) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._at = dict(at)
        self.lines: list[str] = []

    def run(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            print(line, end="")
            self.lines.append(line)
            for pattern in [p for p in self._at if re.search(p, line)]:
                self._at.pop(pattern)()

    @property
    def missed(self) -> list[str]:
        return list(self._at)


def crash(service: str) -> None:
    """Kill the container's first process: unlike after `docker kill`, it is started again."""
    pid = docker("inspect", "--format", "{{.State.Pid}}", f"platform-test-{service}-1")
    os.kill(int(pid), signal.SIGKILL)


def restart(*services: str) -> None:
    docker("compose", "restart", "--timeout", "10", *services)


@pytest.fixture(scope="module")
def ran(target: ComposeTarget) -> list[str]:
    """The pipeline's output; servers are killed and restarted while it runs."""
    under_way = "deferred" if KUBECONFIG else "running"
    at: dict[str, Callable[[], object]] = {
        rf"TrainTripDurationFlow +\w+ +{under_way}": lambda: crash("triggerer"),
        rf"PredictTripDurationFlow +\w+ +{under_way}": lambda: restart("postgres", "minio"),
    }
    if KUBECONFIG:  # a process on a worker dies with the scheduler's container; a pod does not
        at[r"TrainTripDurationFlow +baseline +deferred"] = lambda: crash("scheduler")
    process = subprocess.Popen(
        [sys.executable, "-m", "embedded.cli", "pipeline", "--target", "compose", "--keep",
         "--state", str(target.state.root), "--source", "generator", "--rows", "4000"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    shooting = Shooting(process, at)
    shooting.start()
    shooting.join(1500)
    assert process.wait(30) == 0, "".join(shooting.lines[-60:])
    assert not shooting.missed
    return shooting.lines


def test_the_pipeline_ends_well_although_servers_die(ran: list[str]) -> None:
    assert re.search(r"predictions written +│ +│ +[1-9][\d,]+", "".join(ran))


def test_no_step_ran_twice(ran: list[str], target: ComposeTarget) -> None:
    api = AirflowApi(target.airflow_url, *target.airflow_login)
    found = re.search(r"data_engineering_dag runs as (\S+)", "".join(ran))
    assert found

    tasks = api.task_instances(TRAIN, f"data_engineering__{found[1]}")

    assert tasks
    assert {task["try_number"] for task in tasks} == {1}
    assert {task["state"] for task in tasks} == {"success"}


def test_the_metaflow_ui_has_the_run_its_log_and_its_card(
    ran: list[str], target: ComposeTarget
) -> None:
    drawn = dict(line.split("=", 1) for line in os_env_lines() if "=" in line)
    address = f"http://127.0.0.1:{drawn['METAFLOW_UI_PORT']}"
    found = re.search(r"card +.* card view (airflow-\w+)/(\w+)/(\w+)", "".join(ran))
    assert found
    run, step, task = found.groups()
    place = f"/flows/TrainTripDurationFlow/runs/{run}"
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as ui:
        assert ui.get(place).json()["data"]["status"] == "completed"
        assert "<html" in ui.get("/").text
        log = ui.get(f"{place}/steps/start/tasks/t/logs/out").json()["data"]
        assert any("learn from" in line["line"] for line in log)
        # The service only begins to look when it is asked for the first time.
        cards = until(
            lambda: ui.get(f"{place}/steps/{step}/tasks/{task}/cards").json()["data"], "the card"
        )
        assert len(cards) == 1


def os_env_lines() -> list[str]:
    return Path(os.environ["COMPOSE_ENV_FILES"]).read_text().splitlines()


def test_task_logs_survive_the_containers(ran: list[str], target: ComposeTarget) -> None:
    docker("compose", "up", "--detach", "--wait", "--force-recreate", "--no-deps", "api-server")
    api = AirflowApi(target.airflow_url, *target.airflow_login)
    found = re.search(r"data_engineering_dag runs as (\S+)", "".join(ran))
    assert found

    task = api.task_instances(TRAIN, f"data_engineering__{found[1]}")[0]

    assert any("airflow-" in line for line in api.log(task))


@pytest.mark.skipif(not KUBECONFIG, reason="no cluster: $KUBECONFIG is not set")
@pytest.mark.cluster
def test_no_pod_is_left(ran: list[str]) -> None:
    until(lambda: not kubectl("get", "pods", "--output", "name"), "the end of all pods")


@pytest.fixture
def fails(ran: list[str], target: ComposeTarget) -> Callable[..., str]:
    """Runs the flow Troubled with a trouble until it has failed; the log of the step that did."""
    api = AirflowApi(target.airflow_url, *target.airflow_login)

    def run(how: str, kubernetes: str, meanwhile: Callable[[], object] = lambda: None) -> str:
        done = subprocess.run(
            [sys.executable, TROUBLED, "--with", f"kubernetes:{kubernetes}", "airflow", "create"],
            env=target.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        api.unpause("Troubled")
        name = f"test__{how}"
        api.trigger("Troubled", name, {"how": how})
        meanwhile()
        until(lambda: api.run("Troubled", name)["state"] in ("success", "failed"), "the run's end")
        assert api.run("Troubled", name)["state"] == "failed"
        (start,) = (t for t in api.task_instances("Troubled", name) if t["task_id"] == "start")
        assert start["try_number"] == 1
        until(lambda: not kubectl("get", "pods", "--output", "name"), "the end of all pods")
        return "\n".join(api.log(start))

    return run


@pytest.mark.skipif(not KUBECONFIG, reason="no cluster: $KUBECONFIG is not set")
@pytest.mark.cluster
def test_an_image_that_nobody_has_is_named(fails: Callable[..., str]) -> None:
    log = fails("image", "image=registry.invalid/none:1,cpu=0.25")

    assert re.search(r"Step \S+ failed: .*image registry.invalid/none:1", log), log


@pytest.mark.skipif(not KUBECONFIG, reason="no cluster: $KUBECONFIG is not set")
@pytest.mark.cluster
def test_a_step_out_of_memory_says_its_limit(fails: Callable[..., str]) -> None:
    log = fails("memory", "qos=guaranteed,cpu=0.5,memory=300")

    assert re.search(r"Step \S+ failed: pod \S+ ran out of its memory of 300M", log), log


@pytest.mark.skipif(not KUBECONFIG, reason="no cluster: $KUBECONFIG is not set")
@pytest.mark.cluster
def test_a_pod_that_somebody_deletes_is_told_apart(fails: Callable[..., str]) -> None:
    def delete() -> None:
        running = ["get", "pods", "--field-selector=status.phase=Running", "--output", "name"]
        (pod,) = until(lambda: kubectl(*running).split(), "the step's pod")
        kubectl("delete", pod, "--wait=false")

    log = fails("wait", "cpu=0.25", delete)

    assert re.search(r"Step \S+ failed: .*deleted", log), log


def test_no_secret_is_in_any_layer(ran: list[str], tmp_path: Path) -> None:
    secrets = [
        value.encode()
        for name, _, value in (line.partition("=") for line in os_env_lines())
        if re.search(r"(PASSWORD|SECRET|TOKEN|_KEY)$", name)
    ]
    assert len(secrets) > 10
    docker("save", "--output", str(tmp_path / "image.tar"), "platform/airflow:local")
    with tarfile.open(tmp_path / "image.tar") as image:
        for layer in image:
            stream = image.extractfile(layer)
            if stream is None:
                continue
            before = b""
            while block := stream.read(1 << 22):
                text = before + block
                assert not [secret for secret in secrets if secret in text], layer.name
                before = text[-200:]


def test_it_stops_within_seconds(ran: list[str]) -> None:
    done = subprocess.run(["docker", "compose", "stop"], cwd=ROOT, capture_output=True, check=True,
                          timeout=60)  # fmt: skip
    assert done.returncode == 0

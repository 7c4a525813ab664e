"""The stack in containers, for real: the pipeline runs through it while its parts are shot at.

Without a registry, images that cannot be pulled are stood in for (standins.yaml). With $KUBECONFIG
the steps run as pods there, otherwise as processes on Airflow's worker.

    uv run pytest tests/compose/test_stack.py
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import layers
import pytest
from documented import printed, table
from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.wire.ids import run_id
from pipeline.targets import bundle
from pipeline.targets.compose import ComposeTarget
from waiting import until

from . import doors, reach, shown
from .engine import (
    KUBECONFIG,
    NO_METAFLOW,
    POD_IMAGE,
    ROOT,
    docker,
    has_docker,
    has_image,
    has_metaflow,
    kubectl,
    needs_cluster,
)
from .runs import (
    attempts,
    create,
    drawn,
    end_of,
    ended,
    has_dag,
    is_secret,
    pipeline_run,
    said,
    secrets,
    task_of,
    trigger,
)
from .shooting import Shot, container, running_pods

TRAIN = "trip_duration.prod.TrainTripDurationFlow"
PREDICT = "trip_duration.prod.PredictTripDurationFlow"
GREETING = Path(__file__).parent / "greeting.py"
GREETING_DAG = Path(__file__).parent / "greeting_dag.py"
TROUBLED = Path(__file__).parent / "troubled.py"
AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer")

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not has_docker(), reason="no Docker engine answers"),
]


def test_the_pipeline_ends_well_although_servers_die(ran: list[str]) -> None:
    assert re.search(r"predictions written +│ +│ +[1-9][\d,]+", "".join(ran))


@pytest.mark.parametrize("dag_id", [TRAIN, PREDICT])
def test_no_step_ran_twice(
    ran: list[str], api: AirflowClient, target: ComposeTarget, dag_id: str
) -> None:
    run = pipeline_run(ran)

    tasks = list(api.task_instances(dag_id, run))
    assert {task["try_number"] for task in tasks} == {1}
    # Of promote and hold_back one is not chosen.
    assert {task["state"] for task in tasks} <= {"success", "skipped"}

    flow = dag_id.rpartition(".")[2]
    counted = attempts(target, flow, run_id(dag_id, run))
    # A name with a dot is a task of the bridge's own, such as start.items: no step.
    steps = [task for task in tasks if "." not in task["task_id"]]
    assert len(counted) >= sum(task["state"] == "success" for task in steps)
    assert {key: each for key, each in counted.items() if each != ["0"]} == {}


@pytest.mark.skipif(not has_docker() or not has_metaflow(), reason=f"{NO_METAFLOW}no UI")
def test_the_metaflow_ui_has_timeline_dag_log_and_card_of_a_run(ran: list[str]) -> None:
    address = f"http://127.0.0.1:{drawn()['METAFLOW_UI_PORT']}"
    found = re.search(r"card +.* card view (airflow-\w+)/(\w+)/(\w+)", "".join(ran))
    assert found
    run, step, task = found.groups()
    place = f"/flows/TrainTripDurationFlow/runs/{run}"
    steps = {"start", "fit", "choose", "evaluate", "promote", "end"}
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as ui:

        def data(path: str) -> Any:
            # The service only begins to look when it is asked for the first time.
            return until(lambda: ui.get(path).json().get("data"), path)

        assert "<html" in ui.get("/").text
        assert data(place)["status"] == "completed"
        tasks = data(f"{place}/tasks?_limit=100")
        timeline = [each for each in tasks if each["step_name"] != "_parameters"]
        assert {each["step_name"] for each in timeline} == steps
        assert all(each["status"] == "completed" and each["duration"] > 0 for each in timeline)
        assert set(data(f"{place}/dag")["steps"]) == steps | {"hold_back"}
        (start,) = (each["task_id"] for each in timeline if each["step_name"] == "start")
        log = data(f"{place}/steps/start/tasks/{start}/logs/out")
        assert any("learn from" in line["line"] for line in log)
        (card,) = data(f"{place}/steps/{step}/tasks/{task}/cards")
        page = ui.get(f"{place}/steps/{step}/tasks/{task}/cards/{card['hash']}").text
        assert "<html" in page.lower()


@needs_cluster
def test_no_pod_is_left(ran: list[str]) -> None:
    until(lambda: not kubectl("get", "pods", "--output", "name"), "the end of all pods")


@needs_cluster
def test_a_step_outlives_what_is_killed_and_restarted_around_it(shot: Shot) -> None:
    assert (shot.state, shot.tries, shot.attempts) == ("success", 1, ["0"])


@needs_cluster
def test_the_log_of_a_pod_is_in_airflow_while_it_runs_and_no_line_is_twice(shot: Shot) -> None:
    def seconds(lines: list[str]) -> list[int]:
        return [int(found[1]) for line in lines if (found := re.search(r"second (\d+)$", line))]

    assert len(seconds(shot.while_it_ran)) >= 3
    assert seconds(shot.log) == list(range(len(seconds(shot.log))))
    assert len(seconds(shot.log)) >= len(seconds(shot.while_it_ran))


@needs_cluster
def test_a_pod_gets_its_credentials_from_the_secret_and_no_token(shot: Shot) -> None:
    (step,) = shot.pod["spec"]["containers"]
    volumes = shot.pod["spec"].get("volumes", [])

    assert step["envFrom"] == [{"secretRef": {"name": "flows"}}]
    assert not [value for value in secrets() if value in json.dumps(shot.pod)]
    assert not [volume for volume in volumes if "projected" in volume or "secret" in volume]


def sentences(log: str) -> set[str]:
    return set(re.findall(r"Step \S+ failed: .*", log))


@needs_cluster
def test_an_image_that_nobody_has_is_named(fails: Callable[..., str]) -> None:
    log = fails("image", "image=registry.invalid/none:1,cpu=0.25")

    (sentence,) = sentences(log)
    assert "image registry.invalid/none:1" in sentence


@needs_cluster
def test_a_step_out_of_memory_says_its_limit(fails: Callable[..., str]) -> None:
    log = fails("memory", "qos=guaranteed,cpu=0.5,memory=300")

    (sentence,) = sentences(log)
    assert re.search(r"pod \S+ ran out of its memory of 300M", sentence)


@needs_cluster
def test_a_pod_that_somebody_deletes_is_told_apart_and_costs_its_step_no_retry(
    api: AirflowClient, target: ComposeTarget
) -> None:
    create(target, TROUBLED, "--with", "kubernetes:cpu=0.25")
    run = trigger(api, "Troubled", {"how": "steady"})
    try:
        (first,) = until(lambda: running_pods("Troubled"), "the step's pod")
        task = task_of(api, "Troubled", run)
        kubectl("delete", first, "--wait=false")
        others = lambda: [pod for pod in running_pods("Troubled") if pod != first]  # noqa: E731
        (second,) = until(others, "the pod of the next try")
        (sentence,) = sentences("\n".join(said(api, task)))
        assert "was deleted by somebody" in sentence
        assert "lost this try, 1 of 3" in sentence
        kubectl("exec", second, "--", "touch", "/tmp/enough")
        assert end_of(api, "Troubled", run) == "success"
    finally:
        ended(api, "Troubled", run)


@pytest.mark.parametrize("name", reach.CONTAINERS)
def test_a_container_reaches_what_is_documented_and_no_other_secret(
    ran: list[str], name: str
) -> None:
    model = json.loads(docker("compose", "config", "--format", "json"))
    given = set(model["services"][name].get("environment", {}).values())

    found = reach.within_reach(name, {n: v for n, v in drawn().items() if is_secret(n)})

    # What it was given itself, which tests/security compares with the page.
    assert {drawn()[each] for each in found} <= given


@pytest.mark.parametrize("worker", ["worker-flows", "worker-data-engineering"])
def test_a_worker_gets_nothing_of_the_other_one_by_airflows_own_client(
    ran: list[str], worker: str
) -> None:
    answers = reach.worker_answers(worker)

    assert answers.pop("own tasks") == 200
    assert set(answers.values()) == {403}, answers


def test_each_door_opens_to_whom_the_page_says(ran: list[str]) -> None:
    documented = table("who")

    found = doors.tried(drawn(), pods=bool(KUBECONFIG))

    if not has_metaflow():  # its UI has no stand-in
        found = {cell: said for cell, said in found.items() if cell[1] != "Metaflow's UI"}
    assert found == {cell: documented[cell] for cell in found}, printed("who", found)


def test_nothing_shows_a_secret(ran: list[str], api: AirflowClient, target: ComposeTarget) -> None:
    looked_at = 0
    for place, text in shown.everything(api, target):
        looked_at += 1
        assert not [value for value in secrets() if value in text], place
    assert looked_at > 100


@pytest.mark.parametrize("image", ["platform/airflow:local", POD_IMAGE])
def test_no_secret_is_in_any_layer(ran: list[str], tmp_path: Path, image: str) -> None:
    if not has_image(image):
        pytest.skip(f"{image} is not built")
    docker("save", "--output", str(tmp_path / "image.tar"), image)

    assert layers.told(tmp_path / "image.tar", secrets()) == []


def test_ml_engineers_deploy_without_a_new_image(
    api: AirflowClient, target: ComposeTarget, tmp_path: Path
) -> None:
    before = [container(service, "{{.Id}} {{.Image}}") for service in AIRFLOW]
    for greeting in ("first", "second"):
        flow = tmp_path / "greeting.py"
        flow.write_text(GREETING.read_text().replace("first", greeting))

        create(target, flow, *target.export_options)
        run = trigger(api, "Greeting", {})

        assert end_of(api, "Greeting", run) == "success"
        assert f"the {greeting} greeting" in "\n".join(said(api, task_of(api, "Greeting", run)))
    assert [container(service, "{{.Id}} {{.Image}}") for service in AIRFLOW] == before


def test_data_engineers_deploy_without_a_new_image(
    api: AirflowClient, target: ComposeTarget, tmp_path: Path
) -> None:
    mine = ROOT / "packages/data_engineering/src/data_engineering"
    copy = tmp_path / "data_engineering"
    shutil.copytree(mine, copy)
    client = target.s3("DE_DEPLOY")
    try:
        for greeting in ("first", "second"):
            (copy / "greeting.py").write_text(f'TEXT = "the {greeting} greeting"\n')
            text = GREETING_DAG.read_text().replace("first", greeting)
            (copy / "dags/greeting_dag.py").write_text(text)
            bundle.publish(copy, "s3://dags/data_engineering", client)
            until(lambda: has_dag(api, "greeting", greeting), "the DAG")  # noqa: B023

            run = trigger(api, "greeting", {})

            assert end_of(api, "greeting", run) == "success"
            log = said(api, task_of(api, "greeting", run, "greet"))
            assert f"the {greeting} greeting" in "\n".join(log)
    finally:
        bundle.publish(mine, "s3://dags/data_engineering", client)


def test_it_stops_within_seconds_and_comes_back_with_its_logs(
    ran: list[str], api: AirflowClient, target: ComposeTarget
) -> None:
    began = time.monotonic()
    docker("compose", "down", "--timeout", "20")
    assert time.monotonic() - began < 30

    began = time.monotonic()
    docker("compose", "up", "--detach", "--wait")
    print(f"up --wait: {time.monotonic() - began:.0f} s")

    # A DAG can run at once, and what ran before is there with its logs.
    run = trigger(api, "Greeting", {})
    task = task_of(api, TRAIN, pipeline_run(ran))
    assert any("airflow-" in line for line in said(api, task))
    assert end_of(api, "Greeting", run) == "success"

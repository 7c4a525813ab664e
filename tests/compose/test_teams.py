"""Two teams on the running stack, kept apart: every door, every secret, and all drawn anew."""

from __future__ import annotations

import json
from pathlib import Path

import layers
import pytest
from botocore.exceptions import ClientError
from documented import printed, table
from metaflow_airflow.airflow_api.client import AirflowClient, AirflowError
from metaflow_airflow.wire.ids import run_id
from pipeline.targets.compose import ComposeTarget

from . import doors, reach, shown
from .engine import KUBECONFIG, POD_IMAGE, docker, has_docker, has_image, has_metaflow
from .keeping import end, export, waiting
from .runs import attempts, drawn, end_of, is_secret, secrets, trigger

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not has_docker(), reason="no Docker engine answers"),
]


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


def test_all_is_drawn_anew_while_a_run_goes_on(
    api: AirflowClient, target: ComposeTarget, tmp_path: Path
) -> None:
    export(target, "first", tmp_path)
    run = waiting(api, "first")
    before, old = drawn(), target.s3("ML_DEPLOY")

    names = set(target.rotate())

    assert names >= {name for name in before if is_secret(name)} - {"K3S_TOKEN"}
    now = type(target)(target.state, lambda name, text: None)
    client = AirflowClient(now.airflow_url, *now.airflow_login)
    with pytest.raises(AirflowError):
        AirflowClient(now.airflow_url, *target.airflow_login).check()
    with pytest.raises(ClientError):
        old.list_objects_v2(Bucket="metaflow")
    now.s3("ML_DEPLOY").list_objects_v2(Bucket="metaflow", Prefix="metaflow/")
    if KUBECONFIG:  # on a worker it was ended with its container
        assert end(client, run) == {"start", "first", "end"}
        counted = attempts(now, "Kept", run_id("Kept", run))
        assert {tuple(each) for each in counted.values()} == {("0",)}
    run = trigger(client, "Greeting", {})
    assert end_of(client, "Greeting", run) == "success"

"""Both teams' work as one pipeline, by the command that the README gives."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from metaflow_airflow.airflow_api.assets import known_assets
from metaflow_airflow.airflow_api.client import AirflowClient

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent
TLC_DATA = Path(os.environ.get("TLC_DATA", ROOT.parent / "shared" / "data"))


def kill_when(stack, lines, *moments: tuple[str, str]) -> list[str]:
    """Read the lines; kill each server as soon as its moment's pattern is seen."""
    waiting = list(moments)
    seen = []
    for line in lines:
        seen.append(line)
        if waiting and re.search(waiting[0][0], line):
            server = waiting.pop(0)[1]
            os.kill(stack.status()["servers"][server]["pid"], signal.SIGKILL)
    assert not waiting, f"never came to {waiting}:\n{''.join(seen)}"
    return seen


def figures(output: str, label: str) -> list[float]:
    """The numbers of a table's row."""
    row = next(line for line in output.splitlines() if re.match(rf"[│ ]*{label}", line))
    return [float(n.replace(",", "")) for n in re.findall(r"[\d,]*\d\.?\d*", row)]


@pytest.fixture(scope="module")
def pipeline(stack):
    """What the pipeline prints while its S3 server and its scheduler are killed.

    On TLC's real files, or on made-up trips where they are not there.
    """
    source = str(TLC_DATA) if TLC_DATA.is_dir() else "generator"
    running = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "pipeline", "--keep",
         "--state", str(stack.state.root), "--source", source],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert running.stdout
    seen = kill_when(
        stack, iter(running.stdout.readline, ""),
        (r"month\.publish\[\d\] +running", "s3"),
        (r"TrainTripDurationFlow +fit\[\d\] +running", "scheduler"),
    )  # fmt: skip
    text = "".join(seen)
    assert running.wait(60) == 0, text
    return text


MONTHS = ("green/2023-12", "green/2024-01")
DATA, TRAIN, PREDICT = (
    "data_engineering_dag",
    "trip_duration.prod.TrainTripDurationFlow",
    "trip_duration.prod.PredictTripDurationFlow",
)


@pytest.fixture(scope="module")
def client(stack):
    return AirflowClient(stack.airflow_url, *stack.airflow_login)


@pytest.fixture(scope="module")
def led_to(client, pipeline):
    """The runs that the pipeline's events started, by DAG: run id -> partition key."""
    known = set(re.findall(r"runs as (\S+)", pipeline))
    found: dict[str, dict[str, str]] = {}
    for dag_id in (TRAIN, PREDICT):
        found[dag_id] = {}
        for run in client.runs(dag_id, run_type="asset_triggered"):
            [event] = client.events_of_run(dag_id, run["dag_run_id"])
            if event["source_run_id"] in known:
                assert (run["state"], event["partition_key"]) == ("success", run["partition_key"])
                found[dag_id][run["dag_run_id"]] = run["partition_key"]
        known = set(found[dag_id])
    return found


def test_each_month_that_is_published_is_trained_on_and_predicted_by_events(led_to):
    made_up = "" if TLC_DATA.is_dir() else "made-up/"
    for runs in led_to.values():
        assert sorted(runs.values()) == [made_up + each for each in MONTHS]


def test_airflows_assets_lead_from_the_taxi_data_through_both_flows_to_the_predictions(
    client, pipeline
):
    assets = {asset["name"]: asset for asset in known_assets(client)}

    def makers(name):
        return {task["dag_id"] for task in assets[name]["producing_tasks"]}

    def waiting(name):
        return {dag["dag_id"] for dag in assets[name]["scheduled_dags"]}

    assert assets["trip_features"]["uri"] == "s3://trip-data/features"
    assert DATA in makers("trip_features")
    assert waiting("trip_features") == {TRAIN}
    assert (makers(f"metaflow.{TRAIN}.end"), waiting(f"metaflow.{TRAIN}.end")) == (
        {TRAIN},
        {PREDICT},
    )
    assert makers("metaflow://TrainTripDurationFlow") == {TRAIN}
    assert makers("s3://trip-data/predictions") == {PREDICT}

    # What the graph on Airflow's page of an asset is drawn of.
    asked = {"node_id": f"asset:{assets['trip_features']['id']}"}
    graph = client._send("GET", "/ui/dependencies", params=asked).json()
    labels = {node["id"]: node["label"] for node in graph["nodes"]}
    edges = {(labels[edge["source_id"]], labels[edge["target_id"]]) for edge in graph["edges"]}
    way = [
        DATA,
        "trip_features",
        TRAIN,
        f"metaflow.{TRAIN}.end",
        PREDICT,
        "s3://trip-data/predictions",
    ]
    assert set(pairwise(way)) <= edges


def test_the_events_of_models_and_predictions_say_which_version_they_are_of(client, led_to):
    for dag_id, name, fields in (
        (TRAIN, "metaflow://TrainTripDurationFlow", {"promoted", "rmse", "learned_from"}),
        (PREDICT, "s3://trip-data/predictions", {"rows", "training_run", "made_up"}),
    ):
        made = client._get("assets/events", {"source_dag_id": dag_id, "limit": 100})["asset_events"]
        events = [e for e in made if e["name"] == name and e["source_run_id"] in led_to[dag_id]]
        assert sorted(event["extra"]["month"] for event in events) == ["2023-12", "2024-01"]
        for event in events:
            assert event["partition_key"].endswith(event["extra"]["month"])
            assert fields <= set(event["extra"])
            assert event["extra"]["version"] in event["extra"]["uri"]


def test_the_model_beats_the_linear_baseline_by_a_fifth(pipeline):
    model, linear, better = figures(pipeline, "RMSE")

    assert model < 0.8 * linear
    assert better >= 20


@pytest.mark.skipif(not TLC_DATA.is_dir(), reason=f"TLC's files are not in {TLC_DATA}")
def test_the_counts_are_those_of_the_real_files(pipeline):
    assert figures(pipeline, "read")[-2:] == [64215, 56551]
    assert figures(pipeline, "kept")[-2:] == [58691, 52199]
    assert figures(pipeline, "set aside: other_month")[-2:] == [4, 2]
    assert figures(pipeline, "set aside: non_positive_duration")[-2:] == [85, 76]
    assert figures(pipeline, "set aside: too_long")[-2:] == [344, 225]
    assert figures(pipeline, "set aside: zero_distance")[-2:] == [3195, 2804]
    assert figures(pipeline, "set aside: refund")[-2:] == [64, 57]


def test_it_says_what_to_open_next(stack, pipeline, page):
    links = re.findall(rf"{stack.airflow_url}/dags/\S+/plugin/\S+", pipeline)

    assert [link.rpartition("/")[2] for link in links] == ["metaflow-run", "metaflow-task"] * 2
    for link in links:
        page.goto(link)
        tab(page, link.rpartition("-")[2]).get_by_role("heading", level=1).wait_for()


def tab(page, route, dag_id=""):
    """What stands in Metaflow's tab of a DAG, and not in the one that was there before a click."""
    return page.frame_locator(f"iframe[src*='/metaflow/{route}?dag_id={dag_id}']")


def test_clicks_alone_lead_from_the_predictions_to_their_models_card_and_to_the_taxi_data(
    pipeline, page
):
    page.goto("/")
    page.get_by_role("link", name="Dags", exact=True).first.click()
    page.get_by_role("link", name=PREDICT, exact=True).first.click()
    page.wait_for_url(f"**/dags/{PREDICT}**")
    page.get_by_role("link", name="Metaflow", exact=True).click()
    runs = tab(page, "dag", PREDICT).get_by_role("region", name="Newest runs")
    runs.get_by_role("link").first.click()
    datasets = tab(page, "run", PREDICT).get_by_role("table", name=re.compile("Datasets"))
    datasets.get_by_role("link", name=re.compile("data_engineering_dag")).first.wait_for()
    uris = datasets.get_by_role("code").all_inner_texts()
    model = next(uri for uri in uris if uri.startswith("metaflow://TrainTripDurationFlow/"))
    assert all("/features/" in uri for uri in uris[: uris.index(model)])
    assert "/predictions/" in uris[-1]

    datasets.get_by_role("link", name=model).click()
    run = tab(page, "run", TRAIN)
    run.get_by_role("link", name="evaluate", exact=True).click()
    task = tab(page, "task", TRAIN)
    task.frame_locator("iframe.card").get_by_text("RMSE").first.wait_for()
    task.get_by_role("link", name="run", exact=True).click()
    made = run.get_by_role("row").filter(has_text="metaflow://TrainTripDurationFlow/")
    made.get_by_role("link", name=PREDICT).first.click()
    tab(page, "run", PREDICT).get_by_role("heading", level=1).wait_for()


def test_each_step_is_one_task_instance_and_each_candidate_one_of_fit(client, pipeline):
    run = next(client.runs(TRAIN))

    tasks = sorted(
        (t["task_id"], t["state"]) for t in client.task_instances(TRAIN, run["dag_run_id"])
    )

    # A stack that was used before has a champion, which an equal model does not replace.
    chosen, other = sorted(
        ("promote", "hold_back"), key=lambda step: (step, "success") not in tasks
    )
    steps = ["start", *["fit"] * 3, "choose", "evaluate", chosen, "end"]
    assert tasks == sorted([*((step, "success") for step in steps), (other, "skipped")])


def test_a_run_finishes_though_its_scheduler_and_its_s3_server_are_killed(pipeline):
    for name in ("s3", "scheduler"):
        assert f"{name} ended: killed by SIGKILL" in pipeline
    assert pipeline.count("starting it again; the run goes on") == 2
    assert figures(pipeline, "predictions written") == figures(pipeline, "kept")[-1:]


def test_what_metaflows_client_keeps_lies_in_the_stacks_own_folder(stack, pipeline):
    """Metaflow's default, one folder of /tmp, shuts out every second user of a machine."""
    cache = Path(stack.environment()["METAFLOW_CLIENT_CACHE_PATH"])

    assert cache.is_relative_to(stack.state.root)
    assert any(cache.iterdir()), "predict reads the model of another run through the client"


def test_the_data_teams_dag_starts_the_flows_itself_where_it_is_asked_to(stack, client, pipeline):
    """The second way; last, as it exports the flows without triggers."""
    before = {dag_id: len(list(client.runs(dag_id))) for dag_id in (TRAIN, PREDICT)}

    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "pipeline", "--keep", "--chain",
         "--state", str(stack.state.root), "--source", "generator", "--rows", "4000"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        env={**os.environ, "COLUMNS": "200"}, timeout=600,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
    assert re.search(r"data_engineering_dag +predict +deferred", done.stdout)
    for dag_id, number in before.items():
        runs = list(client.runs(dag_id))
        assert len(runs) == number + 1, "no event started one as well"
        assert runs[0]["run_type"] == "operator_triggered"

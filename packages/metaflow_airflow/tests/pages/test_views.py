import asyncio
import gzip
import json
import pickle

import pytest
from metaflow_airflow.attempt.inputs import DATASETS_KEY
from metaflow_airflow.pages import datastore, overviews, views
from metaflow_airflow.pages.page_error import PageError
from metaflow_airflow.pages.task_address import TaskAddress
from metaflow_airflow.wire import ids
from pydantic import TypeAdapter

from .conftest import RUN, deploy


@pytest.mark.parametrize(("text", "index"), [("{MAP_INDEX}", -1), ("", -1), ("-1", -1), ("7", 7)])
def test_a_map_index_that_airflow_left_unsaid_is_none(text, index):
    asked = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": text}

    assert TypeAdapter(TaskAddress).validate_python(asked).map_index == index


def made(deployed, pathspec, **artifacts):
    """Artifacts of a task that has ended, and the files beside them."""
    objects = {}
    for number, (name, value) in enumerate(artifacts.items()):
        key = f"{number:02}{abs(hash(pathspec)):x}"
        objects[name] = key
        packed = gzip.compress(pickle.dumps(value))
        deployed.keep(f"{deployed.plan.flow}/data/{key[:2]}", {key: packed})
    info = {name: {"type": str(type(value)), "size": 9} for name, value in artifacts.items()}
    deployed.keep(
        pathspec,
        {
            "0.data.json": json.dumps({"objects": objects, "info": info}),
            "0.DONE.lock": "",
            "0.task_stdout.log": "[MFLOG|0|2026-11-27T10:00:00.0Z|task|id]hello\n",
        },
    )


def card(deployed, step, name, html):
    run = ids.run_id(deployed.plan.dag_id, RUN)
    flow = deployed.plan.flow
    task = ids.task_id(run, step, ())
    deployed.keep(
        f"mf.cards/{flow}/runs/{run}/steps/{step}/tasks/{task}/cards", {f"{name}-0a1b2.html": html}
    )


def address(deployed, step, map_index=-1):
    return TaskAddress(deployed.plan.dag_id, RUN, step, map_index)


def test_a_task_page_has_the_cards_artifacts_and_logs_of_its_task(deployed, session):
    deployed.run()
    pathspec = deployed.task("end")
    made(deployed, pathspec, total=3, name="x")
    card(deployed, "end", "blank", "<p>")

    seen = asyncio.run(views.task_page(session, address(deployed, "end")))

    assert seen["sentence"] == ""
    assert seen["instance"].pathspec == pathspec
    assert [each.title for each in seen["cards"]] == ["blank"]
    assert [(each.name, each.type) for each in seen["artifacts"]] == [
        ("name", "str"),
        ("total", "int"),
    ]
    assert [each.logs for each in seen["attempts"]] == [("0.task_stdout.log",)]
    assert not seen["moving"]


def test_a_part_of_a_task_is_shown_by_name_and_no_other_file_is(deployed, session):
    deployed.run()
    made(deployed, deployed.task("end"), total=3)
    card(deployed, "end", "blank", "<p>")
    end = address(deployed, "end")

    assert asyncio.run(views.log_file(session, end, "0.task_stdout.log")) == "hello"
    assert asyncio.run(views.card_file(session, end, "blank-0a1b2.html")) == b"<p>"
    assert asyncio.run(views.artifact_preview(session, end, "total"))["shown"].text == "3"
    for asked, name in (
        (views.log_file, "../../end/0.data.json"),
        (views.log_file, "0.data.json"),
        (views.card_file, "../blank-0a1b2.html"),
        (views.artifact_preview, "none"),
    ):
        with pytest.raises(PageError, match=r"has no (log|card|artifact)") as refused:
            asyncio.run(asked(session, end, name))
        assert refused.value.status == 404


def test_a_datastore_that_cannot_be_read_leaves_the_rest_of_the_page(
    deployed, session, monkeypatch
):
    deployed.run()
    deployed.task("end")
    monkeypatch.setattr(views, "stores", _no_stores)

    seen = asyncio.run(views.task_page(session, address(deployed, "end")))

    assert seen["sentence"] == "The datastore is away."
    assert seen["instance"].task_id == "end"


def _page_of(part):
    """Ask for a page, or for a part of one, of a run of the flow."""
    flow = "Hostile"
    end = TaskAddress(flow, RUN, "end")
    return {
        "task": lambda session: views.task_page(session, end),
        "run": lambda session: overviews.run_page(session, flow, RUN, "total", [flow]),
        "DAG": lambda session: overviews.dag_page(session, flow, "total"),
        "log": lambda session: views.log_file(session, end, "0.task_stdout.log"),
        "card": lambda session: views.card_file(session, end, "blank-0a1b2.html"),
        "artifact": lambda session: views.artifact_preview(session, end, "total"),
    }[part]


def test_a_datastore_that_never_answers_is_a_sentence_in_time_while_airflow_goes_on(
    session, flow, tmp_path, silent_server, monkeypatch
):
    assert datastore.SECONDS < 5
    monkeypatch.setattr(datastore, "SECONDS", 0.3)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("METAFLOW_S3_ENDPOINT_URL", silent_server)
    away = {"datastore": "s3", "datastore_root": "s3://bucket/metaflow"}
    deployed = deploy(session, flow("hostile"), tmp_path, **away)
    deployed.run()
    deployed.task("end")

    async def ask(part):
        """What the page says; how often the loop that serves Airflow turned meanwhile."""
        asking = asyncio.ensure_future(_page_of(part)(session))
        turns = 0
        while not asking.done():
            await asyncio.sleep(0.01)
            turns += 1
        error = asking.exception()
        return str(error) if error else asking.result()["sentence"], turns

    for part in ("task", "run", "DAG", "log", "card", "artifact"):
        said, turns = asyncio.run(ask(part))
        root = "s3://bucket/metaflow" + ("/mf.cards" if part in ("run", "card") else "")
        assert said == f"The datastore {root} did not answer within 0.3 s.", part
        assert turns > 2, part  # it would be one, were the loop to wait


async def _no_stores(record):
    raise PageError("The datastore is away.")


@pytest.mark.parametrize(
    ("dag_id", "run_id", "step", "says"),
    [
        ("Hostile", RUN, "nothing", "has no task instance Hostile manual__1 nothing"),
        ("Hostile", "other", "end", "has no task instance Hostile other end"),
        ("Other", RUN, "end", "no code of DAG Other"),
    ],
)
def test_what_airflow_does_not_have_is_a_sentence(deployed, session, dag_id, run_id, step, says):
    deployed.run()
    deployed.task("end")

    with pytest.raises(PageError, match=says) as refused:
        asyncio.run(views.task_page(session, TaskAddress(dag_id, run_id, step)))

    assert refused.value.status == 404


def test_a_run_page_shows_its_steps_cards_and_the_datasets_that_they_named(deployed, session):
    deployed.run(conf={"city": "Bergen"})
    deployed.task("start")
    for index in range(3):
        made(deployed, deployed.task("measure", index), metrics={"letters": index})
    deployed.task("end")
    deployed.leave("end", DATASETS_KEY, {"read": ["s3://b/in"], "wrote": ["s3://b/out"]})
    card(deployed, "start", "blank", "<p>")

    seen = asyncio.run(overviews.run_page(session, "Hostile", RUN, "metrics.letters", ["Hostile"]))

    assert seen["sentence"] == ""
    assert {step: len(found) for step, found in seen["steps"].items()} == {
        "start": 1, "measure": 3, "end": 1,
    }  # fmt: skip
    assert (seen["version"].number, seen["version"].commit) == (1, "c0ffee")
    assert seen["parameters"] == {"city": '"Bergen"'}
    assert [each.uri for each in seen["datasets"]] == ["s3://b/in", "s3://b/out"]
    assert [each.task_id for each, _ in seen["cards"]] == ["start"]
    assert sorted(cell["metrics.letters"] for cell in seen["cells"].values()) == ["0", "1", "2"]


def test_a_dag_page_shows_a_metric_of_its_runs_beside_each_other(deployed, session):
    for number, run_id in enumerate(("one", "two")):
        deployed.run(run_id)
        made(deployed, deployed.task("end", run_id=run_id), total=number)

    seen = asyncio.run(overviews.dag_page(session, "Hostile", "total"))

    assert seen["sentence"] == ""
    assert seen["cells"] == {"one": {"total": "0"}, "two": {"total": "1"}}
    assert seen["deployed"] is not None
    assert {run: version.number for run, version in seen["versions"].items()} == {
        "one": 1,
        "two": 1,
    }

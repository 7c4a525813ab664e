"""The pages as a reader's browser gets them; who may see them is Airflow's to say, and given."""

import re
from types import SimpleNamespace
from typing import get_args

import pytest
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi.testclient import TestClient
from metaflow_airflow.attempt.inputs import DATASETS_KEY, XCOM_KEY
from metaflow_airflow.pages import app as pages

from .conftest import RUN

MODEL = "metaflow://Train/airflow-1"


@pytest.fixture
def get(session, deployed, monkeypatch):
    """Asks for a page as somebody who may see these DAGs; answers with its text."""
    guards = [
        guard.dependency
        for guard in (pages._sees_tasks, pages._sees_logs, pages._sees_runs, pages._sees_code)
    ]
    asks_session, asks_user = (get_args(each)[1].dependency for each in (SessionDep, GetUserDep))
    seen = {"ann": {"Hostile", "Train"}}
    manager = SimpleNamespace(get_authorized_dag_ids=lambda user: seen[user])
    monkeypatch.setattr(pages, "get_auth_manager", lambda: manager)
    pages.app.dependency_overrides = {
        **{guard: lambda: None for guard in guards},
        asks_session: lambda: session,
        asks_user: lambda: "ann",
    }
    with TestClient(pages.app) as client:
        yield lambda path, **query: client.get(path, params={"dag_id": "Hostile", **query})
    pages.app.dependency_overrides = {}


def test_a_run_shows_its_datasets_as_links_to_the_runs_that_made_and_read_them(get, deployed):
    deployed.run()
    deployed.task("end")
    deployed.leave("end", DATASETS_KEY, {"read": [MODEL, "s3://b/<x>"], "wrote": ["s3://b/out"]})
    deployed.leave("fit", DATASETS_KEY, {"wrote": [MODEL]}, dag_id="Train", run_id="t 1")

    answer = get("/run", run_id=RUN)

    assert answer.status_code == 200
    [table] = re.findall(r"<table aria-label=\"Datasets.*?</table>", answer.text, flags=re.DOTALL)
    rows = [re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", row)) for row in table.split("<tr>")[2:]]
    assert [row.strip() for row in rows] == [
        f"{MODEL} Train t 1 , fit this run, end",
        "s3://b/&lt;x&gt; nobody that is known here this run, end",
        "s3://b/out this run, end nobody that is known here",
    ]
    assert table.count('href="/dags/Train/runs/t%201/plugin/metaflow-run"') == 2


def test_an_item_in_a_pod_is_called_by_its_value(get, deployed):
    deployed.run()
    for index, city in enumerate(("Bronx", "Queens")):
        pathspec = deployed.task("measure", index, label=None).split("/", 1)[1]
        said = {"pathspec": pathspec, "map_index": index, "label": f"item={city}"}
        deployed.leave("measure", XCOM_KEY, said, map_index=index)

    text = get("/run", run_id=RUN).text

    assert re.findall(r">(item=\w+)</a>", text) == ["item=Bronx", "item=Queens"]
    text = get("/task", run_id=RUN, task_id="measure", map_index=1).text
    assert '<span class="label">item=Queens</span>' in text


def test_a_dag_and_what_is_not_there_have_pages_that_load_nothing_from_elsewhere(get, deployed):
    deployed.run()

    found, missing = get("/dag"), get("/run", run_id="none")

    assert (found.status_code, missing.status_code) == (200, 404)
    assert f"/runs/{RUN}/plugin/metaflow-run" in found.text
    assert "Hostile has no run none." in missing.text
    for answer in (found, missing):
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "data-words=" in answer.text

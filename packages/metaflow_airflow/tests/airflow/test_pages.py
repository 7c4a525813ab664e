"""Metaflow's tabs in Airflow's own pages, in a real browser."""

from __future__ import annotations

import pytest

from .conftest import FLOWS

pytestmark = pytest.mark.stack

DAG = "Hostile"


@pytest.fixture(scope="module")
def run_id(bridge):
    """An ended run of the flow with the hostile card."""
    bridge.export(FLOWS / "hostile.py")
    run_id = bridge.start(DAG)
    bridge.wait(DAG, run_id)
    return run_id


@pytest.fixture
def tab(page, run_id):
    """Opens a tab named Metaflow below a run; what stands in it."""

    def opened(path, route):
        page.goto(f"/dags/{DAG}/runs/{run_id}{path}/plugin/{route}")
        return page.frame_locator("iframe[src*='/metaflow/']")

    return opened


def test_a_task_leads_to_its_output_and_to_the_tasks_beside_it(page, tab):
    task = tab("/tasks/measure/mapped/1", "metaflow-task")

    task.get_by_text("attempt 0, stdout").click()
    task.get_by_text("measured Brooklyn").wait_for()
    task.get_by_role("link", name="start", exact=True).click()
    page.wait_for_url("**/tasks/start/plugin/metaflow-task")


def test_a_run_shows_its_items_with_the_artifacts_that_were_asked_for(page, tab):
    run = tab("", "metaflow-run")

    run.get_by_label("Artifacts of each item").fill("metrics.letters, input")
    run.get_by_label("Artifacts of each item").press("Enter")

    run.get_by_role("columnheader", name="metrics.letters").wait_for()
    assert run.get_by_role("cell", name="8", exact=True).count() == 1
    assert run.get_by_text('"New York"').count() == 1


def test_a_tab_is_for_those_who_may_see_the_dag(chromium, stack, run_id):
    address = f"{stack.airflow_url}/metaflow/task?dag_id={DAG}&run_id={run_id}&task_id=start"
    with chromium.new_context() as nobody:
        assert nobody.request.get(address).status == 401

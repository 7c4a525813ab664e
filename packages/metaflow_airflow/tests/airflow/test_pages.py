"""Metaflow's tabs in Airflow's own pages, in a real browser, on what nobody should trust."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from .conftest import FLOWS

pytestmark = pytest.mark.stack

DAG = "Hostile"
# What the card of the flow comes to, attempt by attempt.
REFUSED = {
    "origin": "refused: Error",  # it is nobody's
    "cookies": "refused: SecurityError",
    "storage": "refused: SecurityError",
    "api": "refused: TypeError",  # of fetch
    "frame": "refused: SecurityError",
    "popup": "refused: Error",  # none was opened
    "top": "refused: SecurityError",
}


def said_by(card):
    """What a card has written of its attempts."""
    return {name: card.locator(f"#{name}").text_content() for name in REFUSED}


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


@pytest.fixture
def alone(page, run_id):
    """Opens one of our pages without Airflow's around it, which takes longer than all of ours."""

    def opened(route, **query):
        asked = {"dag_id": DAG, **({} if route == "dag" else {"run_id": run_id}), **query}
        page.goto(f"/metaflow/{route}?{urlencode(asked)}")
        return page

    return opened


def test_a_hostile_card_reaches_nothing_of_airflow(page, tab):
    card = tab("/tasks/start", "metaflow-task").frame_locator("iframe.card")

    card.locator("#ended").wait_for(state="attached")

    assert said_by(card) == REFUSED
    assert "/dags/Hostile/" in page.url
    assert len(page.context.pages) == 1


def test_a_card_opened_alone_has_no_origin_either(page, tab):
    alone = tab("/tasks/start", "metaflow-task").get_by_role("link", name="alone")

    with page.context.expect_page() as opening:
        alone.click()
    card = opening.value
    card.locator("#ended").wait_for(state="attached")

    # Nothing is around it: it may look at itself, and nobody is on top of it.
    said = said_by(card)
    assert {name: said[name] for name in REFUSED if name != "frame"} == {
        name: why for name, why in REFUSED.items() if name != "frame"
    } | {"top": "refused: Error"}


def test_artifacts_are_shown_as_the_data_that_they_are(alone):
    task = alone("task", task_id="start")

    task.get_by_text("picture", exact=True).click()
    task.get_by_alt_text("The artifact as a picture").wait_for()
    task.get_by_text("rows", exact=True).click()
    task.get_by_role("columnheader", name="count").wait_for()
    task.get_by_text("code", exact=True).click()
    task.get_by_text("code would have to run").wait_for()


def test_a_task_leads_to_its_output_and_to_the_tasks_beside_it(page, tab):
    task = tab("/tasks/measure/mapped/1", "metaflow-task")

    task.get_by_text("attempt 0, stdout").click()
    task.get_by_text("measured Brooklyn").wait_for()
    task.get_by_role("link", name="start", exact=True).click()
    page.wait_for_url("**/tasks/start/plugin/metaflow-task")


def test_a_run_shows_its_items_with_the_artifacts_that_were_asked_for(alone):
    run = alone("run")

    run.get_by_label("Artifacts of each item").fill("metrics.letters, input")
    run.get_by_label("Artifacts of each item").press("Enter")

    run.get_by_role("columnheader", name="metrics.letters").wait_for()
    assert run.get_by_role("cell", name="8", exact=True).count() == 1
    assert run.get_by_text('"New York"').count() == 1


def test_a_dag_shows_its_runs_beside_each_other(alone):
    dag = alone("dag")

    dag.get_by_label("Artifacts to compare").fill("total")
    dag.get_by_role("button", name="Show").click()

    dag.get_by_role("columnheader", name="total").wait_for()
    dag.get_by_role("cell", name="24", exact=True).first.wait_for()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 380)])
def test_a_tab_fits_its_window_and_airflows_theme(page, tab, alone, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    root = tab("/tasks/start", "metaflow-task").locator(":root")
    root.get_by_role("heading", name="Artifacts").wait_for()
    airflow_is_dark = page.evaluate("document.documentElement.classList.contains('dark')")

    assert root.evaluate("root => root.classList.contains('dark')") is airflow_is_dark
    assert root.evaluate("root => root.scrollWidth <= root.clientWidth")
    for route in ("run", "dag"):  # the reader's system says which theme
        root = alone(route).locator(":root")
        assert root.evaluate("root => root.classList.contains('dark')") is (scheme == "dark")
        assert root.evaluate("root => root.scrollWidth <= root.clientWidth"), route


def test_a_screen_reader_is_told_what_is_where(alone):
    from playwright.sync_api import expect  # where Chromium is, which `alone` skips without

    expect(alone("run").get_by_role("main")).to_match_aria_snapshot("""
        - main:
          - heading /Hostile/ [level=1]
          - region "Steps":
            - heading "Steps" [level=2]
            - text: Artifacts of each item
            - textbox "Artifacts of each item"
            - button "Show"
          - region "Lineage":
            - heading "Lineage" [level=2]
            - table "Datasets, from the first to the last":
              - rowgroup:
                - row "dataset written by read by"
              - rowgroup:
                - row /<script>.*this run, start/
                - row /metaflow:..Hostile.*this run, start/
          - region "Deployment":
            - heading "Deployment" [level=2]
          - region "Parameters":
            - heading "Parameters" [level=2]
          - region "Cards":
            - heading "Cards" [level=2]
          - region "In a notebook":
            - heading "In a notebook" [level=2]
            - 'button "Copy: lines that load this run"'
    """)
    expect(alone("dag").get_by_role("main")).to_match_aria_snapshot("""
        - main:
          - heading "Hostile" [level=1]
          - region "Deployment"
          - region "Parameters"
          - region "Newest runs":
            - textbox "Artifacts to compare"
            - button "Show"
            - table:
              - rowgroup:
                - row "Airflow Metaflow version state"
    """)


def test_what_can_be_used_has_a_name_and_is_reached_by_the_keyboard(page, tab):
    task = tab("/tasks/start", "metaflow-task")
    task.get_by_role("heading", name="Artifacts").wait_for()
    used = task.locator("a, button, summary, input:not([type=hidden]), iframe")

    for index in range(used.count()):
        name = used.nth(index).evaluate(
            "e => e.ariaLabel || e.title || e.labels?.[0]?.textContent || e.textContent"
        )
        assert name.strip(), used.nth(index).evaluate("e => e.outerHTML")
    task.get_by_text("rows", exact=True).focus()
    page.keyboard.press("Enter")
    task.get_by_role("columnheader", name="count").wait_for()


def test_a_tab_is_for_those_who_may_see_the_dag(chromium, stack, run_id):
    address = f"{stack.airflow_url}/metaflow/task?dag_id={DAG}&run_id={run_id}&task_id=start"
    with chromium.new_context() as nobody:
        assert nobody.request.get(address).status == 401


def test_what_is_no_flow_is_a_sentence(page, run_id):
    answer = page.request.get(f"/metaflow/run?dag_id={DAG}&run_id=none")

    assert answer.status == 404
    assert re.search("Hostile has no run none", answer.text())

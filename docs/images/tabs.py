"""Take the pictures of Airflow's pages: Metaflow's tabs, and the graph of the assets.

    uv run stack pipeline --keep
    uv run --all-packages docs/images/tabs.py [STATE] [PICTURE …]

All of them, or those that are named, from a stack that has run the pipeline. Both themes, a wide
window and a narrow one. Needs Chromium.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from embedded.stack import Stack
from metaflow_airflow.airflow_api.assets import find_asset
from metaflow_airflow.airflow_api.client import AirflowClient
from playwright.sync_api import Browser, FrameLocator, sync_playwright

HERE = Path(__file__).resolve()
REPOSITORY = HERE.parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "support"))

TRAIN, PREDICT = (f"trip_duration.prod.{name}TripDurationFlow" for name in ("Train", "Predict"))
WIDE, NARROW = 1280, 760


@dataclass(frozen=True)
class Picture:
    """One picture.

    Args:
        path: of the page, {run} for the newest run. seen: a text in it; card: inside the card.
    """

    name: str
    dag_id: str
    path: str
    seen: str
    card: bool = False
    theme: str = "light"
    width: int = WIDE


PICTURES = (
    Picture("task", TRAIN, "runs/{run}/tasks/evaluate/plugin/metaflow-task", "RMSE", card=True),
    Picture(
        "run-dark", PREDICT, "runs/{run}/plugin/metaflow-run", "this run, predict", theme="dark"
    ),
    Picture("run-narrow", TRAIN, "runs/{run}/plugin/metaflow-run", "Lineage", width=NARROW),
    Picture(
        "dag-narrow-dark", TRAIN, "plugin/metaflow-dag", "Newest runs", theme="dark", width=NARROW
    ),
)


def take(browser: Browser, stack: Stack, picture: Picture, run_id: str) -> Path:
    """Sign in, open the page, bring what it is about into view; the picture's file."""
    from browser import sign_in

    with browser.new_context(
        base_url=stack.airflow_url,
        viewport={"width": picture.width, "height": 800},
        color_scheme="dark" if picture.theme == "dark" else "light",
    ) as context:
        context.set_default_timeout(90_000)
        # As the switch in Airflow's own menu keeps it.
        context.add_init_script(f"localStorage.setItem('theme', '{picture.theme}')")
        page = context.new_page()
        sign_in(page, *stack.airflow_login)
        page.goto(f"/dags/{quote(picture.dag_id)}/{picture.path.format(run=quote(run_id))}")
        tab: FrameLocator = page.frame_locator("iframe[src*='/metaflow/']")
        where = tab.frame_locator("iframe.card").first if picture.card else tab
        found = where.get_by_text(picture.seen).first
        found.wait_for()
        found.scroll_into_view_if_needed()
        file = HERE.with_name(f"tab-{picture.name}.png")
        page.screenshot(path=file)
    return file


def take_graph(browser: Browser, stack: Stack, asset_id: int) -> Path:
    """The graph around an asset: the DAGs that publish it and those that wait for it."""
    from browser import sign_in

    with browser.new_context(
        base_url=stack.airflow_url, viewport={"width": WIDE + 320, "height": 800}
    ) as context:
        context.set_default_timeout(90_000)
        page = context.new_page()
        sign_in(page, *stack.airflow_login)
        page.goto(f"/assets/{asset_id}")
        page.get_by_text(PREDICT).first.wait_for()
        page.get_by_text("s3://trip-data/predictions").first.wait_for()
        file = HERE.with_name("assets.png")
        page.screenshot(path=file)
    return file


def main(state: Path, names: list[str]) -> None:
    """Take the pictures."""
    from browser import CHROMIUM, QUIET

    stack = Stack(state)
    client = AirflowClient(stack.airflow_url, *stack.airflow_login)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        if not names or "assets" in names:
            features = find_asset(client, "trip_features")
            if features is None:
                sys.exit("Airflow has no asset trip_features")
            print(take_graph(browser, stack, features["id"]).name, flush=True)
        for picture in (each for each in PICTURES if not names or each.name in names):
            run_id = next(client.runs(picture.dag_id))["dag_run_id"]
            file = take(browser, stack, picture, run_id)
            print(f"{file.name}: {file.stat().st_size // 1024} KiB", flush=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else REPOSITORY / ".embedded", sys.argv[2:])

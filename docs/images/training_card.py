"""Train on two of TLC's months, and take docs/images/training-card.png of the run's card.

    uv run --all-packages docs/images/training_card.py FOLDER [MONTH LATER_MONTH]

FOLDER holds TLC's green files of both months, 2023-12 and 2024-01 unless others are named. Needs
Chromium; S3 is a SeaweedFS of its own, which goes with the script.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve()
REPOSITORY = HERE.parents[2]
FLOW = REPOSITORY / "packages/ml_flows/src/ml_flows/train_trip_duration.py"
WIDTH, HEIGHT = 1300, 1800
sys.path.insert(0, str(REPOSITORY / "tests" / "support"))


def run(*arguments: str) -> None:
    """Run a Python program; end with its exit code if it fails."""
    done = subprocess.run([sys.executable, *arguments], check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def train(trips: str, months: list[str], folder: Path) -> Path:
    """Publish the months, train on the first and test on the second; return the card's file."""
    for month in months:
        run("-m", "data_engineering", "--month", month, "--source", trips)
    started, page = folder / "run-id", folder / "card.html"
    asked = ["--train_months", months[0], "--test_month", months[1]]
    run(str(FLOW), "run", "--run-id-file", str(started), *asked)
    run(str(FLOW), "card", "get", f"{started.read_text().strip()}/evaluate", str(page))
    return page


def picture(page: Path, to: Path) -> None:
    """Take a picture of a page's beginning when its charts are drawn."""
    from browser import CHROMIUM, QUIET
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        raise SystemExit("there is no Chromium here (apt-get install chromium)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        shown = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        shown.goto(page.as_uri())
        shown.locator(".vega-embed").nth(1).locator("canvas, svg").first.wait_for(timeout=60_000)
        shown.screenshot(path=to)
        chromium.close()


def main(arguments: list[str]) -> None:
    """Train, and take the picture."""
    if not arguments:
        raise SystemExit(__doc__)
    from s3_server import running_in

    trips, *months = arguments
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "s3").mkdir()
        with running_in(folder / "s3") as server:
            os.environ |= server.environment | {
                "METAFLOW_S3_ENDPOINT_URL": server.url,
                "TRIP_DATA_ROOT": f"s3://{server.bucket}",
                "TRIP_DATA_SOURCES": trips,
                "METAFLOW_DEFAULT_DATASTORE": "s3",
                "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{server.bucket}/metaflow",
                "METAFLOW_DEFAULT_METADATA": "local",
                "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(folder / "metaflow"),
                "METAFLOW_HOME": str(folder / "home"),
                "METAFLOW_USER": "reader",
            }
            page = train(trips, months or ["2023-12", "2024-01"], folder)
        picture(page, HERE.with_name("training-card.png"))


if __name__ == "__main__":
    main(sys.argv[1:])

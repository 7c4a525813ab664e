"""Runs the same flows on several versions of Airflow and Metaflow; prints a table of their ends.

    uv run python tests/airflow_matrix.py [3.1.8:3.10 3.1.8:3.10:2.15.21 …]

A row is AIRFLOW:PYTHON, or AIRFLOW:PYTHON:METAFLOW; without METAFLOW flows are exported with the
workspace's. What runs are the tests that are marked every_airflow, on that Airflow's own scheduler
and one real S3 server, a few minutes a row.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
WHERE = ("packages/metaflow_airflow/tests/airflow", "tests/test_own_airflow.py")
ROWS = ("3.1.8:3.10", "3.1.8:3.10:2.15.21", "3.2.2:3.12", "3.3.2:3.13")


def run_row(row: str) -> dict[str, str]:
    """Run the marked tests on the versions of a row; a cell of the table by what it shows."""
    airflow, python, *metaflow = row.split(":")
    with tempfile.TemporaryDirectory(prefix="airflow-matrix-") as folder:
        report = Path(folder) / "report.xml"
        versions = [f"--airflow={airflow}", f"--airflow-python={python}"]
        versions += [f"--metaflow={version}" for version in metaflow]
        _run(
            [sys.executable, "-m", "pytest", "-q", "-m", "every_airflow", *WHERE, *versions,
             "--timeout=1200", f"--junitxml={report}"]
        )  # fmt: skip
        return cells(report) if report.is_file() else {}


def _run(command: Sequence[str]) -> None:
    """Run pytest to its end, also when told to stop: it has servers to stop."""
    # A group of its own: Ctrl-C reaches it once, by us.
    running = subprocess.Popen(command, cwd=ROOT, stdout=sys.stderr, start_new_session=True)
    try:
        running.wait()
    except KeyboardInterrupt:
        running.send_signal(signal.SIGINT)
        running.wait()
        raise


def cells(report: Path) -> dict[str, str]:
    """What pytest's report says of each test, by what the test shows."""
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
        shown = [each.get("value", "") for each in case.iter("property")]
        if case.find("failure") is not None or case.find("error") is not None:
            cell = "**failed**"
        elif case.find("skipped") is not None:
            cell = "—"
        else:
            cell = "ok"
        found |= dict.fromkeys(shown, cell)
    return found


def main(rows: Sequence[str]) -> int:
    """Print the table; 1 if a test failed or none ran."""
    ran = {row: run_row(row) for row in rows}
    heads = list(dict.fromkeys(head for row in ran.values() for head in row))
    print(f"| Airflow | Python | Metaflow | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 3)}")
    for row, found in ran.items():
        airflow, python, metaflow = (*row.split(":"), "newest")[:3]
        said = [found.get(head, "**not run**") for head in heads]
        print(f"| {airflow} | {python} | {metaflow} | {' | '.join(said)} |")
    return int(any("**" in cell for found in ran.values() for cell in found.values() or ["**"]))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:] or ROWS))

"""Run every combination that Metaflow's core suite calls valid, and keep how each of them ended.

    stack exec -- python table.py /path/to/metaflow ENDED.jsonl [--parallel N] [--minutes M]

Runs what has not passed, until the minutes are over; begin it again for the rest. What the suite
said of a combination is in a folder beside the file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from run import EXCLUDED, python, suite

# For a Python in the suite's folder: the suite's tests in its order, each with its valid graphs.
_LIST = """
import json
from run_tests import iter_graphs, iter_tests
from metaflow_test.formatter import FlowFormatter
found = {}
for test in sorted(iter_tests(), key=lambda test: test.PRIORITY):
    valid = [graph["name"] for graph in iter_graphs() if FlowFormatter(graph, test).valid]
    found[type(test).__name__] = sorted(valid)
print("ANSWER" + json.dumps(found))
"""


class Table:
    """How combinations, each a test and a graph, ended: passed, failed, excluded or not run.

    Args:
        path: a line of JSON an ending. core: the suite.
    """

    def __init__(self, path: Path, core: Path) -> None:
        self._path = path
        self._core = core
        listed = python(core, "-c", _LIST, stdout=subprocess.PIPE).stdout
        found: dict[str, list[str]] = json.loads(listed.split("ANSWER", 1)[1])
        self.states = {
            (test, graph): "excluded" if {test, graph} & {*EXCLUDED} else "not run"
            for test, graphs in found.items()
            for graph in graphs
        }
        self._read()

    def _read(self) -> None:
        for line in self._path.read_text().splitlines() if self._path.exists() else ():
            ended = json.loads(line)
            name = (ended["test"], ended["graph"])
            if self.states.get(name, "excluded") != "excluded":
                self.states[name] = ended["state"]

    def left(self, graphs: list[str], tests: list[str]) -> dict[str, list[str]]:
        """Graphs that have not passed, by test: a test's runs share a DAG and follow one another.

        Args:
            graphs, tests: these alone; all of them where the list is empty.
        """
        found: dict[str, list[str]] = {}
        for (test, graph), state in self.states.items():
            asked = (not graphs or graph in graphs) and (not tests or test in tests)
            if asked and state in ("failed", "not run"):
                found.setdefault(test, []).append(graph)
        return found

    def run(self, test: str, graph: str) -> None:
        """Run one combination and write down how it ended."""
        began = time.monotonic()
        command = ("run_tests.py", "--inherit-env", f"--tests={test}", f"--graphs={graph}")
        done = python(self._core, *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = self._path.with_suffix("") / f"{test} {graph}.log"
        said.parent.mkdir(exist_ok=True)
        said.write_text(done.stdout)
        passed = f"test '{test}' graph '{graph}' in context 'airflow': success" in done.stdout
        state = self.states[test, graph] = "passed" if passed else "failed"
        seconds = round(time.monotonic() - began)
        ended = {"test": test, "graph": graph, "state": state, "seconds": seconds}
        with self._path.open("a") as file:
            file.write(json.dumps(ended) + "\n")
        print(f"{state}  {test} {graph}  {seconds} s", flush=True)


def main() -> None:
    """Run what is left, and count."""
    parser = argparse.ArgumentParser(description="Run Metaflow's core suite and keep a table.")
    parser.add_argument("source", type=Path, help="a checkout of Metaflow's repository")
    parser.add_argument("table", type=Path, help="a file: how each combination ended")
    parser.add_argument("--parallel", type=int, default=3, help="combinations at once")
    parser.add_argument("--minutes", type=float, default=60, help="begin none after so many")
    parser.add_argument("--graphs", type=str.split, default=[], help="of these graphs alone")
    parser.add_argument("--tests", type=str.split, default=[], help="of these tests alone")
    asked = parser.parse_args()
    deadline = time.monotonic() + asked.minutes * 60
    with suite(asked.source) as core:
        table = Table(asked.table, core)

        def in_turn(test: str, graphs: list[str]) -> None:
            for graph in graphs:
                if time.monotonic() < deadline:
                    table.run(test, graph)

        left = table.left(asked.graphs, asked.tests)
        with ThreadPoolExecutor(asked.parallel) as pool:
            list(pool.map(in_turn, left, left.values()))
    counts = Counter(table.states.values())
    print(*(f"{count} {state}" for state, count in counts.items()), sep=", ")


if __name__ == "__main__":
    main()

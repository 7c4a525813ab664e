"""Run Metaflow's core suite (test/core of its repository) against the Airflow of a stack.

    stack exec -- python run.py /path/to/metaflow [OPTIONS of its run_tests.py]
    stack exec -- python run.py /path/to/metaflow --table=ENDED.jsonl [--parallel=N] [--minutes=M]
        [--tests=A,B] [--graphs=C,D]

The checkout stays as it is: a copy gets context.json as its only context, and on_airflow.py as the
Python that its flows run with. With --table, those of all combinations that the suite calls valid
run that the table does not say have passed, until the minutes are over; begun again, the rest. What
the suite said of one is in a folder beside the table.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
EXCLUDED: dict[str, str] = json.loads((HERE / "excluded.json").read_text())
# What one of the suite's tests wants to be installed.
_EXTENSIONS = "extensions"
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


@contextmanager
def suite(source: Path) -> Iterator[Path]:
    """A copy of the suite that has our context alone, as long as it is needed.

    Args:
        source: a checkout of Metaflow's repository.
    """
    with tempfile.TemporaryDirectory(prefix="core_suite_") as folder:
        core = Path(folder, "core")
        shutil.copytree(source / "test" / "core", core)
        shutil.copytree(source / "test" / "extensions" / "packages", core / _EXTENSIONS)
        theirs = json.loads((core / "contexts.json").read_text())
        ours = json.loads((HERE / "context.json").read_text())
        ours["python"] = str(HERE / "on_airflow.py")
        ours["disabled_tests"] = [*EXCLUDED]
        contexts = {"contexts": [ours], "checks": theirs["checks"]}
        (core / "contexts.json").write_text(json.dumps(contexts))
        yield core


def python(core: Path, *arguments: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a Python of this environment in the suite's folder.

    Args:
        core: the suite. arguments: of Python. capture: keep what it prints.
    """
    environment = {
        "USER": "tester",  # the suite wants it even where METAFLOW_USER says it
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(map(str, sorted((core / _EXTENSIONS).iterdir()))),
        "TMPDIR": str(core.parent),
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=core,
        env=environment,
        stdout=subprocess.PIPE if capture else None,
        stderr=subprocess.STDOUT if capture else None,
        check=False,
        text=True,
    )


class Table:
    """How combinations, each a test and a graph, ended: passed, failed, excluded or not run.

    Args:
        path: a line of JSON an ending. core: the suite.
    """

    def __init__(self, path: Path, core: Path) -> None:
        self._path = path
        self._core = core
        listed = python(core, "-c", _LIST, capture=True).stdout
        found: dict[str, list[str]] = json.loads(listed.split("ANSWER", 1)[1])
        self.states = {
            (test, graph): "excluded" if {test, graph} & {*EXCLUDED} else "not run"
            for test, graphs in found.items()
            for graph in graphs
        }
        for line in path.read_text().splitlines() if path.exists() else ():
            ended = json.loads(line)
            name = (ended["test"], ended["graph"])
            if self.states.get(name, "excluded") != "excluded":
                self.states[name] = ended["state"]

    def left(self, tests: list[str], graphs: list[str]) -> dict[str, list[str]]:
        """Graphs that have not passed, by test: a test's runs share a DAG and follow one another.

        Args:
            tests, graphs: these alone; all of them where the list is empty.
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
        output = python(self._core, *command, capture=True).stdout
        said = self._path.with_suffix("") / f"{test} {graph}.log"
        said.parent.mkdir(exist_ok=True)
        said.write_text(output)
        passed = f"test '{test}' graph '{graph}' in context 'airflow': success" in output
        state = self.states[test, graph] = "passed" if passed else "failed"
        seconds = round(time.monotonic() - began)
        ended = {"test": test, "graph": graph, "state": state, "seconds": seconds}
        with self._path.open("a") as file:
            file.write(json.dumps(ended) + "\n")
        print(f"{state}  {test} {graph}  {seconds} s", flush=True)


def keep_table(core: Path, options: list[str]) -> int:
    """Run what has not passed and count; 0 when nothing is left."""
    parser = argparse.ArgumentParser(description="Keep a table of how combinations ended.")
    parser.add_argument("--table", type=Path, help="file: how each combination ended")
    parser.add_argument("--parallel", type=int, default=3, help="combinations at once")
    parser.add_argument("--minutes", type=float, default=60, help="begin none after so many")
    parser.add_argument("--tests", default="", help="these tests alone, with commas between")
    parser.add_argument("--graphs", default="", help="these graphs alone, with commas between")
    asked = parser.parse_args(options)
    deadline = time.monotonic() + asked.minutes * 60
    table = Table(asked.table, core)

    def in_turn(test: str, graphs: list[str]) -> None:
        for graph in graphs:
            if time.monotonic() < deadline:
                table.run(test, graph)

    names = [[name for name in text.split(",") if name] for text in (asked.tests, asked.graphs)]
    left = table.left(*names)
    with ThreadPoolExecutor(asked.parallel) as pool:
        list(pool.map(in_turn, left, left.values()))
    counts = Counter(table.states.values())
    print(", ".join(f"{count} {state}" for state, count in counts.items()))
    return 1 if table.left(*names) else 0


def main(source: str, *options: str) -> int:
    """Run what was asked for; the exit code."""
    with suite(Path(source)) as core:
        if any(option.startswith("--table") for option in options):
            return keep_table(core, list(options))
        return python(core, "run_tests.py", "--inherit-env", *options).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

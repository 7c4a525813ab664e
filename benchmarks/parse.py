"""What parsing an exported DAG costs, beside a hand-written DAG of the same tasks.

    uv run --all-packages benchmarks/parse.py [repeats [number of DAGs …]]

As in Airflow's DAG processor: each file in a fork of its own, of a process that has imported
Airflow and the `airflow` modules that the file names; parsed and serialized. CPU seconds.
"""

from __future__ import annotations

import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import structlog

FLOW = Path(__file__).parent / "flows" / "typical.py"
NUMBERS = (1, 500)
LOG = structlog.get_logger()

HAND_WRITTEN = '''"""Typical by hand."""

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param, task_group


def run(step, **arguments):
    return BashOperator(task_id=step, bash_command=f"python typical.py step {step}", **arguments)


with DAG(
    "Typical",
    schedule=None,
    catchup=False,
    max_active_tasks=100,
    default_args={"owner": "ann"},
    tags=["metaflow"],
    params={"month": Param("2024-01", type="string", description="the month to learn from")},
) as dag:
    start = run("start")
    trips = run("trips")
    zones = run("zones")
    merge = run("merge")
    search = run("search", do_xcom_push=True)

    @task_group
    def search_to_score(item):
        train = run("train", env=item, retries=2, retry_delay=timedelta(minutes=2))
        train >> run("score", env=item)

    pick = run("pick")
    start >> [trips, zones] >> merge >> search
    search_to_score.expand(item=search.output) >> pick >> run("end")
'''


def main(repeats: int, numbers: tuple[int, ...]) -> None:
    """Print one table."""
    texts = {"exported": exported(), "by hand": HAND_WRITTEN}
    print(f"{'DAGs':>5}  {'file':<10}{'bytes':>8}{'CPU s':>8}{'ms a DAG':>10}{'ratio':>7}")
    for number in numbers:
        seconds: dict[str, list[float]] = {kind: [] for kind in texts}
        for _ in range(repeats if number > 1 else 10 * repeats):
            for kind, text in texts.items():  # in turns: both feel what else the machine does
                seconds[kind].append(measure(text, number))
        by_hand = statistics.median(seconds["by hand"])
        for kind, text in texts.items():
            median = statistics.median(seconds[kind])
            each = 1000 * median / number
            line = f"{number:>5}  {kind:<10}{len(text):>8}{median:>8.2f}{each:>10.1f}"
            print(f"{line}{median / by_hand:>7.2f}", flush=True)


def exported() -> str:
    """The file that the bridge writes for the flow."""
    program = f"""
import importlib.util
from metaflow_airflow.graph.read_graph import read_graph
from metaflow_airflow.plan.assemble import assemble
from metaflow_airflow.plan.dag import Parameter
from metaflow_airflow.plan.step import Deployment
from metaflow_airflow.render import render
spec = importlib.util.spec_from_file_location("typical", {str(FLOW)!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
graph = read_graph(module.Typical(use_cli=False))
deployment = Deployment(
    script="typical.py", code="s3://metaflow/metaflow/Typical/data/3f/3f9c", code_sha="3f9c",
    datastore="s3", datastore_root="s3://metaflow/metaflow", options=("--metadata=local",),
    owner="ann", production_token="typical-0-abcd",
)
month = Parameter("month", ("string",), "2024-01", description="the month to learn from")
plan = assemble(graph, deployment, parameters=[month], paused=False, max_workers=100)
print(render(plan), end="")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return done.stdout


def measure(text: str, number: int) -> float:
    """CPU seconds of parsing so many files of this text, each in a fork."""
    from airflow.dag_processing import processor

    with tempfile.TemporaryDirectory() as folder:
        seconds = 0.0
        for i in range(number):
            path = Path(folder) / f"dag_{i}.py"
            path.write_text(text.replace('"Typical"', f'"Typical{i}"'))
            processor._pre_import_airflow_modules(str(path), LOG)
            seconds += _in_fork(path)
        return seconds


def _in_fork(path: Path) -> float:
    """CPU seconds of what the DAG processor does with one file."""
    from airflow.dag_processing import processor

    read_end, write_end = os.pipe()
    if (pid := os.fork()) == 0:
        began = time.process_time()
        request = processor.DagFileParseRequest(
            file=str(path), bundle_path=path.parent, bundle_name="benchmark"
        )
        result = processor._parse_file(request, LOG)
        spent = time.process_time() - began
        good = result and not result.import_errors and len(result.serialized_dags) == 1
        if not good:
            sys.stderr.write(f"{path}: {result and result.import_errors}\n")
        os.write(write_end, struct.pack("d", spent))
        os._exit(0 if good else 1)
    os.close(write_end)
    (spent,) = struct.unpack("d", os.read(read_end, 8))
    os.close(read_end)
    if os.waitpid(pid, 0)[1]:
        sys.exit(f"{path} was not parsed")
    return float(spent)


if __name__ == "__main__":
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp()
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, tuple(map(int, sys.argv[2:])) or NUMBERS)

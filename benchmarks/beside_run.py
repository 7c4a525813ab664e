"""Wall time of a flow by `flow.py run` beside the same flow on Airflow with processes.

    uv run --all-packages benchmarks/beside_run.py [foreach size …]

Starts an embedded stack. Both keep artifacts in its S3 server. Airflow's time is from the trigger
to the end of the DAG run; `run` starts up to 16 steps at once, Airflow what its `parallelism` says.
Memory is what Airflow's processes and the steps hold together at most (PSS), beyond an idle stack.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psutil
from embedded.stack import Stack
from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.airflow_api.runs import new_dag_run_id
from pipeline import task_log
from watching import Watcher

FLOWS = Path(__file__).parent / "flows"
SIZES = (50, 500)
DEADLINE = 3600  # seconds


def main(sizes: tuple[int, ...]) -> None:
    """Print one table."""
    end_when_told()
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "state")
        stack.up()
        try:
            print(f"{'flow':<24}{'run s':>8}{'Airflow s':>11}{'ratio':>7}", end="")
            print(f"{'run s/item':>12}{'Airflow s/item':>16}{'MiB':>7}", flush=True)
            _row(stack, "three_steps", "ThreeSteps", "3 steps of 5 s", None)
            for size in sizes:
                _row(stack, "fan", "Fan", f"foreach of {size}", size)
        finally:
            stack.down()


def _row(stack: Stack, file: str, dag_id: str, title: str, size: int | None) -> None:
    environment = stack.environment()
    path = FLOWS / f"{file}.py"
    options = [f"--size={size}"] if size else []
    bare = timed([str(path), "run", f"--max-num-splits={size or 100}", *options], environment)
    timed([str(path), "airflow", "create"], environment)
    client = AirflowClient(stack.airflow_url, *stack.airflow_login)
    client.set_paused(dag_id, False)
    with Memory(stack) as memory:
        seconds = on_airflow(stack, client, dag_id, {"size": size} if size else {})
    line = f"{title:<24}{bare:>8.1f}{seconds:>11.1f}{seconds / bare:>7.2f}"
    each = f"{bare / size:>12.3f}{seconds / size:>16.3f}" if size else f"{'':>28}"
    print(f"{line}{each}{memory.most / 2**20:>7.0f}", flush=True)


def timed(arguments: list[str], environment: Mapping[str, str]) -> float:
    """Seconds of a flow's command."""
    began = time.monotonic()
    command = [sys.executable, arguments[0], "--no-pylint", "--quiet", *arguments[1:]]
    # Metaflow puts what it sends into the working directory; one that is killed leaves it there.
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True, cwd=folder,
    ) as process:  # fmt: skip
        try:
            output, _ = process.communicate()
        except BaseException:
            # The steps that it started outlive a `run` that is killed.
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        sys.exit(f"{arguments} failed:\n{output}")
    return time.monotonic() - began


def end_when_told() -> None:
    """Let SIGTERM end this program as Ctrl-C does: what it started is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def on_airflow(
    stack: Stack, client: AirflowClient, dag_id: str, conf: Mapping[str, object]
) -> float:
    """Seconds from the trigger to the end of a run."""
    run_id = new_dag_run_id()
    began = time.monotonic()
    client.trigger(dag_id, run_id, conf)
    while (state := client.state(dag_id, run_id)) not in ("success", "failed"):
        if time.monotonic() - began > DEADLINE:
            sys.exit(f"{dag_id} did not end within {DEADLINE} s")
        time.sleep(0.5)
    if state == "failed":
        sys.exit(f"{dag_id} {run_id} failed\n{why_failed(stack, dag_id, run_id)}")
    return time.monotonic() - began


def why_failed(stack: Stack, dag_id: str, run_id: str) -> str:
    """The failed task instances with the end of their logs, which go with the stack."""
    client = AirflowClient(stack.airflow_url, *stack.airflow_login)
    found = []
    for task in client.task_instances(dag_id, run_id):
        if task["state"] == "failed":
            found.append(f"{task['task_id']}[{task['map_index']}]")
            found += [f"    {line}" for line in task_log.lines(client.log(task))[-8:]]
    return "\n".join(found)


class Memory(Watcher):
    """The most that the stack's processes held at once, beyond what they held at the start."""

    interval = 5  # a look at a dozen processes' pages takes a tenth of a second

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        servers = stack.status()["servers"].values()
        self._roots = [server["pid"] for server in servers if server.get("pid")]
        self._idle = self._sum()
        self.most = 0

    def look(self) -> None:
        """Keep the most."""
        self.most = max(self.most, self._sum() - self._idle)

    def _sum(self) -> int:
        seen: dict[int, int] = {}
        for root in self._roots:
            try:
                process = psutil.Process(root)
                family = [process, *process.children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
            for member in family:
                try:
                    seen[member.pid] = member.memory_full_info().pss
                except psutil.Error:
                    continue  # ended meanwhile
        return sum(seen.values())


if __name__ == "__main__":
    main(tuple(int(word) for word in sys.argv[1:]) or SIZES)

"""What Metaflow's tabs cost: their first byte, a foreach of many items, Airflow's own pages.

    uv run --all-packages benchmarks/pages.py [ITEMS] [ROUNDS] [STATE]

Starts an embedded stack, or takes the one of STATE that is up. A foreach runs there with 3 items;
then rows and files like theirs are written for all ITEMS, as running a thousand would be another
question. Airflow's pages are asked of two further API servers, one of which does not see the
plugin, in turns. CPU is the server's, which a busy machine does not change.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests
from beside_run import FLOWS, end_when_told, on_airflow, timed
from embedded.environment import base_environment, server_environment
from embedded.fleet import build
from embedded.stack import Stack
from metaflow_airflow.airflow_api.client import AirflowClient

DAG = "Fan"
_TOGETHER = 'from airflow.__main__ import main; import sys; sys.argv[0] = "airflow"; main()'
# The distribution, and with it the plugin's entry point, is not to be found.
_WITHOUT = (
    "from airflow._shared import module_loading as m; whole = m.metadata.distributions; "
    "m.metadata.distributions = "
    "lambda: (d for d in whole() if d.metadata['Name'] != 'metaflow-airflow'); "
    "m._get_grouped_entry_points.cache_clear(); "
)


def main(items: int, rounds: int, state: Path | None) -> None:
    """Print two tables."""
    end_when_told()
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(state or Path(folder) / "state")
        started = stack.up()
        try:
            _measure(stack, items, rounds)
        finally:
            if started:
                stack.down()


def _measure(stack: Stack, items: int, rounds: int) -> None:
    environment = stack.environment()
    timed([str(FLOWS / "fan.py"), "airflow", "create"], environment)
    client = AirflowClient(stack.airflow_url, *stack.airflow_login)
    client.set_paused(DAG, False)
    on_airflow(stack, client, DAG, {"size": 3})
    run_id = next(client.runs(DAG))["dag_run_id"]
    servers = _airflow_environment(stack)
    program = Path(__file__).with_name("many_items.py")
    subprocess.run(
        [sys.executable, str(program), DAG, run_id, "item", str(items)], env=servers, check=True
    )
    session = requests.Session()
    session.cookies.set("_token", _token(stack))
    query = {"dag_id": DAG, "run_id": run_id}
    tabs: dict[str, tuple[str, dict[str, str]]] = {
        "task": ("task", {**query, "task_id": "start"}),
        f"run of {items:,} items": ("run", query),
        "the same, with an artifact of each": ("run", {**query, "columns": "square"}),
        "DAG": ("dag", {"dag_id": DAG}),
    }
    print(f"{'tab':<40}{'first byte ms':>15}{'whole ms':>10}{'CPU ms':>8}{'KiB':>6}", flush=True)
    pid = stack.status()["servers"]["api-server"]["pid"]
    for title, (path, asked) in tabs.items():
        before = _cpu(pid)
        first, whole, size = _tab(session, f"{stack.airflow_url}/metaflow/{path}", asked, rounds)
        each = (_cpu(pid) - before) / (rounds + 1)
        print(f"{title:<40}{first:>15.0f}{whole:>10.0f}{each:>8.0f}{size / 1024:>6.0f}", flush=True)
    _airflows_own(session, servers, run_id, rounds)


def _airflows_own(
    session: requests.Session, servers: Mapping[str, str], run_id: str, rounds: int
) -> None:
    with _api_server(servers, without=False) as seen, _api_server(servers, without=True) as bare:
        print(f"\n{'page of Airflow':<40}{'with ms':>15}{'without':>10}{'CPU ms':>8}{'without':>9}")
        for title, path in {
            "the page itself": "/",
            "its settings and plugins": "/ui/config",
            "list of DAGs": "/ui/dags?limit=25",
            "a run's tasks": f"/api/v2/dags/{DAG}/dagRuns/{run_id}/taskInstances?limit=50",
        }.items():
            times: dict[tuple[str, int], list[float]] = {seen: [], bare: []}
            for server, _ in times:
                session.get(server + path, timeout=60).raise_for_status()
            before = [_cpu(pid) for _, pid in times]
            for _ in range(rounds):
                for (server, _), taken in times.items():
                    began = time.perf_counter()
                    session.get(server + path, timeout=60).raise_for_status()
                    taken.append(1000 * (time.perf_counter() - began))
            wall = [statistics.median(taken) for taken in times.values()]
            cpu = [(_cpu(pid) - was) / rounds for (_, pid), was in zip(times, before, strict=True)]
            print(
                f"{title:<40}{wall[0]:>15.1f}{wall[1]:>10.1f}{cpu[0]:>8.1f}{cpu[1]:>9.1f}",
                flush=True,
            )


def _cpu(pid: int) -> float:
    """Milliseconds that a process and its children have computed so far."""
    server = psutil.Process(pid)
    return 1000 * sum(
        times.user + times.system
        for times in (each.cpu_times() for each in [server, *server.children(recursive=True)])
    )


def _tab(
    session: requests.Session, url: str, query: Mapping[str, str], rounds: int
) -> tuple[float, float, int]:
    """Median milliseconds until the first byte and the last one, and how many bytes."""
    first, whole, size = [], [], 0
    for _ in range(rounds + 1):
        began = time.perf_counter()
        with session.get(url, params=query, timeout=60, stream=True) as answer:
            answer.raise_for_status()
            first.append(1000 * answer.elapsed.total_seconds())
            size = len(answer.content)
        whole.append(1000 * (time.perf_counter() - began))
    # The application is imported where the first request for it arrives.
    return statistics.median(first[1:]), statistics.median(whole[1:]), size


def _token(stack: Stack) -> str:
    username, password = stack.airflow_login
    asked = {"username": username, "password": password}
    answer = requests.post(f"{stack.airflow_url}/auth/token", json=asked, timeout=60)
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def _airflow_environment(stack: Stack) -> dict[str, str]:
    kept = stack.state.read()
    credentials = stack.state.credentials()
    database = build(stack.state).postgres.url
    own = server_environment(stack.state, kept["ports"], credentials, database)
    return base_environment(stack.state) | own


@contextmanager
def _api_server(environment: Mapping[str, str], *, without: bool) -> Iterator[tuple[str, int]]:
    """One more API server on the stack's database; its URL once it answers, its process."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    program = (_WITHOUT if without else "") + _TOGETHER
    running = subprocess.Popen(
        [sys.executable, "-c", program, "api-server", "--host=127.0.0.1", f"--port={port}"],
        env={**environment, "AIRFLOW__API__PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for(url, running)
        # Airflow's own page answers for whatever nobody serves.
        answer = requests.get(f"{url}/metaflow/static/pages.css", timeout=60)
        if ("text/css" in answer.headers.get("Content-Type", "")) is without:
            raise SystemExit(f"the plugin is {'there' if without else 'missing'}")
        yield url, running.pid
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait(60)


def _wait_for(url: str, running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 180
    while True:
        try:
            if requests.get(f"{url}/api/v2/monitor/health", timeout=10).ok:
                return
        except requests.ConnectionError as error:
            if running.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the API server at {url} does not answer: {error}") from error
        time.sleep(0.5)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        int(given[0]) if given else 1000,
        int(given[1]) if given[1:] else 20,
        Path(given[2]) if given[2:] else None,
    )

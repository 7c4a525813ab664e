"""Events: how soon they start a flow, and whether each starts one run, whatever dies meanwhile.

    uv run --all-packages benchmarks/events.py [events a minute]

Starts an embedded stack. Three questions, a line each:

- latency: from the answer to a published event to the start of the first task, of a flow with
  @trigger and of a plain DAG whose schedule is an asset, by turns (medians of 10);
- burst: so many events (1,000 unless said) published by REST, as fast as one client can: how long
  that took, and how many runs there are, of how many different events;
- kill -9 of scheduler and triggerer right after 20 events: the same.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from beside_run import end_when_told, timed
from embedded.stack import Stack
from metaflow_airflow.airflow_api.assets import find_asset
from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.bundle.objects import FolderObjects
from metaflow_airflow.bundle.versions import Versions

FLOW, PLAIN = "OnBench", "bench_plain"
FLOW_EVENT, PLAIN_EVENT = "bench_flow", "bench_plain_event"
TURNS = 10
PATIENCE = 900  # seconds
_PLAIN = f'''
from airflow.sdk import DAG, Asset, task

with DAG("{PLAIN}", schedule=Asset("{PLAIN_EVENT}"), is_paused_upon_creation=False):
    @task
    def start():
        pass

    start()
'''


def main(burst: int) -> None:
    """Print the lines."""
    end_when_told()
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "state")
        stack.up()
        try:
            environment = stack.environment()
            timed([str(Path(__file__).parent / "flows" / "on_event.py"), "airflow", "create"],
                  environment)  # fmt: skip
            dags = FolderObjects(Path(environment["METAFLOW_AIRFLOW_DAGS_FOLDER"]))
            Versions(dags).write({"bench_plain.py": _PLAIN.encode()})
            client = AirflowClient(stack.airflow_url, *stack.airflow_login)
            assets = {name: _asset(client, name) for name in (FLOW_EVENT, PLAIN_EVENT)}
            client.set_paused(FLOW, False)
            _latency(client, assets)
            _deaths(stack, client, assets[FLOW_EVENT])
            _burst(client, assets[FLOW_EVENT], burst)
        finally:
            stack.down()


def _latency(client: AirflowClient, assets: dict[str, int]) -> None:
    found: dict[str, list[float]] = {FLOW: [], PLAIN: []}
    for _ in range(TURNS):
        found[FLOW].append(_seconds(client, FLOW, assets[FLOW_EVENT]))
        found[PLAIN].append(_seconds(client, PLAIN, assets[PLAIN_EVENT]))
    flow, plain = (statistics.median(found[dag_id]) for dag_id in (FLOW, PLAIN))
    print(
        f"latency: flow {flow:.2f} s, plain DAG {plain:.2f} s, ratio {flow / plain:.2f}", flush=True
    )


def _seconds(client: AirflowClient, dag_id: str, asset_id: int) -> float:
    """From an event's publication to the start of the first task that it leads to."""
    before = _ids(client, dag_id)
    client.publish({"asset_id": asset_id, "extra": {}})
    published = time.time()
    run_id = _until(lambda: next(iter(_ids(client, dag_id) - before), None), "a run")
    task = _until(lambda: _first(client, dag_id, run_id), "its first task")
    _until(lambda: client.state(dag_id, run_id) in ("success", "failed"), "its end")
    return datetime.fromisoformat(task["start_date"]).timestamp() - published


def _deaths(stack: Stack, client: AirflowClient, asset_id: int) -> None:
    before = _ids(client, FLOW)
    published = _publish(client, asset_id, 20)
    servers = stack.status()["servers"]
    for name in ("scheduler", "triggerer"):
        os.kill(servers[name]["pid"], signal.SIGKILL)
    _count("kill -9", client, before, published)


def _burst(client: AirflowClient, asset_id: int, events: int) -> None:
    before = _ids(client, FLOW)
    began = time.monotonic()
    published = _publish(client, asset_id, events)
    print(f"burst: {events} events in {time.monotonic() - began:.0f} s", flush=True)
    _count("burst", client, before, published)


def _publish(client: AirflowClient, asset_id: int, events: int) -> set[str]:
    """Publish events; the partition keys of the runs that they should start."""
    bodies = ({"asset_id": asset_id, "extra": {"number": number}} for number in range(events))
    return {f"event {client.publish(body)['id']}" for body in bodies}


def _count(title: str, client: AirflowClient, before: set[str], published: set[str]) -> None:
    """Wait for the runs, and a while for more than there should be."""

    def keys() -> list[str]:
        runs = client.runs(FLOW)
        return [run["partition_key"] for run in runs if run["dag_run_id"] not in before]

    _until(lambda: published <= set(keys()), f"run of each of {len(published)} events", every=2)
    time.sleep(10)
    found = keys()
    other = set(found) - published
    print(
        f"{title}: {len(published)} events, {len(found)} runs of {len(set(found))} different "
        f"events, {len(other)} of them unknown",
        flush=True,
    )


def _asset(client: AirflowClient, name: str) -> int:
    found = _until(lambda: find_asset(client, name), f"asset {name}")
    return int(found["id"])


def _ids(client: AirflowClient, dag_id: str) -> set[str]:
    return {run["dag_run_id"] for run in client.runs(dag_id)}


def _first(client: AirflowClient, dag_id: str, run_id: str) -> dict[str, Any] | None:
    tasks = client.task_instances(dag_id, run_id)
    return next((t for t in tasks if t["task_id"] == "start" and t["start_date"]), None)


def _until(ask: Callable[[], Any], what: str, every: float = 0.2) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (answer := ask()):
        if time.monotonic() > deadline:
            sys.exit(f"no {what} within {PATIENCE} s")
        time.sleep(every)
    return answer


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)

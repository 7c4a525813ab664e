"""All that the running stack shows of itself: pages' sources, tasks, values, logs, processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import psutil
from metaflow_airflow.airflow_api.client import AirflowClient
from pipeline.targets.compose import ComposeTarget

from .engine import docker
from .runs import said


def everything(api: AirflowClient, target: ComposeTarget) -> Iterator[tuple[str, str]]:
    """Give (where, text) of each thing that somebody may look at."""
    for dag in api.dags():
        dag_id = dag["dag_id"]
        yield f"the DAG {dag_id}", json.dumps(api.dag(dag_id)) + api.source(dag_id)
        for run in api.runs(dag_id):
            yield from _of_run(api, dag_id, run)
    for service in docker("compose", "ps", "--services", "--all").split():
        yield f"{service}'s log", docker("compose", "logs", "--no-log-prefix", service)
    for process in psutil.process_iter(["cmdline"]):
        yield f"process {process.pid}", " ".join(process.info["cmdline"] or ())
    yield from _cards(target)


def _of_run(api: AirflowClient, dag_id: str, run: dict[str, str]) -> Iterator[tuple[str, str]]:
    run_id = run["dag_run_id"]
    yield f"the run {dag_id} {run_id}", json.dumps(run)
    for task in api.task_instances(dag_id, run_id):
        place = f"{dag_id} {run_id} {task['task_id']} {task['map_index']}"
        # With its rendered fields.
        yield f"the task {place}", json.dumps(task)
        yield f"the log of {place}", "\n".join(said(api, task))
        path = "/".join(
            ("dags", quote(dag_id, safe=""), "dagRuns", quote(run_id, safe=""),
             "taskInstances", quote(task["task_id"], safe=""), "xcomEntries")
        )  # fmt: skip
        for value in api._pages(path, "xcom_entries", {"map_index": task["map_index"]}):
            query = {"map_index": task["map_index"], "stringify": "true"}
            found = api._get(f"{path}/{quote(value['key'], safe='')}", query)
            yield f"the value {value['key']} of {place}", json.dumps(found)


def _cards(target: ComposeTarget) -> Iterator[tuple[str, str]]:
    client = target.s3("ML_DEPLOY")
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket="metaflow", Prefix="metaflow/mf.cards/"
    )
    for page in pages:
        for each in page.get("Contents", ()):
            body = client.get_object(Bucket="metaflow", Key=each["Key"])["Body"].read()
            yield each["Key"], body.decode("utf-8", "replace")

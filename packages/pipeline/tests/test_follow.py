"""What is said of a task that failed, by a target and a client that answer as these do."""

from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from metaflow_airflow.airflow_api.client import AirflowClient
from pipeline.follow import Follower, PipelineFailedError
from pipeline.targets.base import Target

TASK = {
    "dag_id": "dag", "dag_run_id": "run", "task_id": "fetch", "map_index": -1, "state": "failed",
    "try_number": 1, "duration": 1.0, "operator_name": "_PythonDecoratedOperator",
}  # fmt: skip
MARK = {"event": "::group::Log message source details", "sources": ["Hostname not available"]}


class Client:
    """A run with one task, which failed."""

    def __init__(self, log: list[Any]) -> None:
        self._log = log

    def tasks_of_runs(self, runs: Iterable[tuple[str, str]]) -> Iterator[dict[str, Any]]:
        yield TASK

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        return {"state": "failed", "start_date": None, "end_date": None}

    def log(self, task: Mapping[str, Any]) -> list[Any]:
        return self._log


def failure(log: list[Any]) -> str:
    target = SimpleNamespace(
        failures=list, restarted=dict, log_end=lambda server: f"{server}: ValueError: socks\n"
    )
    follower = Follower(cast(Target, target), cast(AirflowClient, Client(log)), lambda text: None)
    with pytest.raises(PipelineFailedError) as caught:
        follower.follow("dag", "run", 0.0)
    return str(caught.value)


def test_a_failed_tasks_log_is_shown_without_airflows_own_news() -> None:
    said = failure([MARK, {"event": "no such file", "level": "error", "logger": "task.stderr"}])

    assert said.endswith("The end of the log of dag.fetch:\n    no such file")


def test_where_a_task_died_before_its_first_line_its_parent_says_of_what() -> None:
    said = failure([MARK])

    assert "dag.fetch wrote no log. The end of the scheduler's:" in said
    assert said.endswith("    scheduler: ValueError: socks")

"""Which worker gets a task, and what becomes of the task when that worker dies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.executors.workloads import ExecuteTask
from airflow.executors.workloads.base import BundleInfo
from airflow.providers.edge3.models.edge_base import edge_metadata
from airflow.providers.edge3.models.edge_job import EdgeJobModel
from airflow.providers.edge3.models.edge_worker import EdgeWorkerModel, EdgeWorkerState
from airflow_service.workers.executor import TeamExecutor
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

START = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    edge_metadata.create_all(engine)
    with Session(engine) as made:
        yield made


@pytest.fixture
def executor() -> TeamExecutor:
    return TeamExecutor(parallelism=4)


def workload(bundle: str, queue: str) -> ExecuteTask:
    """A task whose DAG file asks for a queue."""
    fields: dict[str, Any] = {
        "id": "0198f0a0-0000-7000-8000-000000000001",
        "dag_version_id": "0198f0a0-0000-7000-8000-000000000002",
        "task_id": "task", "dag_id": "dag", "run_id": "run", "try_number": 1, "map_index": -1,
        "pool_slots": 1, "queue": queue, "priority_weight": 1,
    }  # fmt: skip
    return ExecuteTask.model_validate(
        {
            "ti": fields, "token": "token", "dag_rel_path": "dag.py", "log_path": "log",
            "bundle_info": BundleInfo(name=bundle),
        }
    )  # fmt: skip


@pytest.mark.parametrize("queue", ["default", "flows", "data_engineering"])
def test_a_task_goes_to_the_worker_of_its_bundle_whatever_its_dag_file_asks_for(
    executor: TeamExecutor, session: Session, queue: str
) -> None:
    executor.queue_workload(workload("flows", queue), session)

    (job,) = session.query(EdgeJobModel)
    assert job.queue == "flows"


def job(session: Session, state: str, at: datetime) -> EdgeJobModel:
    made = EdgeJobModel(
        dag_id="dag", task_id="task", run_id="run", map_index=-1, try_number=1, state=state,
        queue="flows", concurrency_slots=1, command="{}", edge_worker="flows", last_update=at,
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


def worker(session: Session, began: datetime) -> None:
    """As it says itself: without a zone."""
    sysinfo = {"worker_start_time": began.replace(tzinfo=None).isoformat()}
    made = EdgeWorkerModel(worker_name="flows", state=EdgeWorkerState.IDLE, queues=["flows"])
    made.sysinfo = sysinfo
    session.add(made)
    session.flush()


@pytest.mark.parametrize("state", ["running", "restarting"])
def test_what_a_worker_ran_before_it_was_started_anew_has_failed(
    executor: TeamExecutor, session: Session, state: str
) -> None:
    lost = job(session, state, START - timedelta(seconds=1))
    worker(session, START)

    executor._write_off(session)

    assert lost.state == "failed"


@pytest.mark.parametrize(
    ("state", "at"),
    [
        ("running", START + timedelta(seconds=1)),  # of the worker that is there
        ("queued", START - timedelta(seconds=1)),
        ("success", START - timedelta(seconds=1)),
    ],
)
def test_nothing_else_is_written_off(
    executor: TeamExecutor, session: Session, state: str, at: datetime
) -> None:
    kept = job(session, state, at)
    worker(session, START)

    executor._write_off(session)

    assert kept.state == state


def test_a_worker_that_says_nothing_of_its_start_loses_nothing(
    executor: TeamExecutor, session: Session
) -> None:
    kept = job(session, "running", START)
    session.add(EdgeWorkerModel("flows", EdgeWorkerState.IDLE, ["flows"]))
    session.flush()

    executor._write_off(session)

    assert kept.state == "running"


def test_a_callback_goes_to_the_worker_of_its_bundle(
    executor: TeamExecutor, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def queue(self: object, workload: Any, session: Session) -> None:
        made = job(session, "queued", START)
        made.dag_id, made.task_id, made.queue = "ExecuteCallback", "id", "default"

    monkeypatch.setattr(TeamExecutor.__mro__[1], "queue_workload", queue)
    callback: Any = SimpleNamespace(
        bundle_info=BundleInfo(name="flows"), callback=SimpleNamespace(id="id")
    )

    executor.queue_workload(callback, session)

    (made,) = session.query(EdgeJobModel)
    assert made.queue == "flows"

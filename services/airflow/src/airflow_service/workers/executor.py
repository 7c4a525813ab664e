"""Hands each task to the worker of the team whose bundle its code comes from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.edge3.executors.edge_executor import EdgeExecutor
from airflow.providers.edge3.models.edge_job import EdgeJobModel
from airflow.providers.edge3.models.edge_worker import EdgeWorkerModel
from airflow.providers.edge3.models.types import EXECUTE_CALLBACK_TAG
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from sqlalchemy import select

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_UNDER_WAY = (TaskInstanceState.RUNNING, TaskInstanceState.RESTARTING)


class TeamExecutor(EdgeExecutor):
    """Airflow's edge executor, with a queue and a worker a DAG bundle.

    The scheduler decides here, by the bundle that it knows: what a DAG file says of queues cannot
    bring one team's code to the other team's worker.
    """

    def queue_workload(self, workload: Any, session: Session) -> None:
        """Queue a task, or a callback, for the worker of its bundle."""
        team = workload.bundle_info.name
        if hasattr(workload, "ti"):
            workload.ti.queue = team
            super().queue_workload(workload, session)
            return
        super().queue_workload(workload, session)
        job = session.scalar(
            select(EdgeJobModel).where(
                EdgeJobModel.dag_id == EXECUTE_CALLBACK_TAG,
                EdgeJobModel.task_id == str(workload.callback.id),
            )
        )
        if job is not None:
            job.queue = team

    def sync(self, **kwargs: Any) -> None:
        """Write off what a worker ran before it was started anew; then as Airflow does."""
        with create_session() as session:
            self._write_off(session)
        super().sync(**kwargs)

    def _write_off(self, session: Session) -> None:
        """End the jobs of a process that is gone, long before their heartbeat is missed."""
        begun = {
            worker.worker_name: _began(worker.sysinfo or {})
            for worker in session.scalars(select(EdgeWorkerModel))
        }
        jobs = session.scalars(
            select(EdgeJobModel)
            .with_for_update(skip_locked=True)
            .where(EdgeJobModel.state.in_(_UNDER_WAY))
        )
        for job in jobs:
            since = begun.get(job.edge_worker or "")
            if since and job.last_update and job.last_update < since:
                self.log.warning(
                    "%s was run by worker %s, which was started anew since",
                    job.key,
                    job.edge_worker,
                )
                job.state = TaskInstanceState.FAILED
                job.last_update = datetime.now(UTC)


def _began(sysinfo: dict[str, Any]) -> datetime | None:
    """Return when a worker's process began; it says so in UTC, without a zone."""
    text = sysinfo.get("worker_start_time")
    return datetime.fromisoformat(str(text)).replace(tzinfo=UTC) if text else None

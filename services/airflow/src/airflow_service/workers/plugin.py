"""Puts the gate before Airflow's edge API, where that is on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from airflow_service.workers.gate import Job


def queue_of(job: Job) -> str | None:
    """Return the queue of a job of the edge API's table."""
    from airflow.providers.edge3.models.edge_job import EdgeJobModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return session.scalar(
            select(EdgeJobModel.queue).where(
                EdgeJobModel.dag_id == job.dag_id,
                EdgeJobModel.task_id == job.task_id,
                EdgeJobModel.run_id == job.run_id,
                EdgeJobModel.try_number == int(job.try_number),
                EdgeJobModel.map_index == int(job.map_index),
                EdgeJobModel.task_instance_id == job.task_instance_id,
            )
        )


def _middlewares() -> list[dict[str, Any]]:
    if not conf.getboolean("edge", "api_enabled", fallback=False):
        return []
    from airflow_service.workers.gate import WorkerGate

    arguments = {"queue_of": queue_of}
    return [{"name": "worker gate", "middleware": WorkerGate, "kwargs": arguments}]


class WorkerGatePlugin(AirflowPlugin):
    """The gate, as Airflow loads it."""

    name = "worker_gate"
    fastapi_root_middlewares = _middlewares()

"""Tells OpenLineage of steps that the triggerer runs; its provider for Airflow asks workers alone.

One thread sends what waits, in order: a server that is slow or gone holds up neither the triggerer
nor its end, and whatever goes wrong fails no step.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from functools import cache
from importlib.util import find_spec
from typing import Any

from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.compat import airflow as compat
from metaflow_airflow.wire.task import StepResult, StepTask

_log = logging.getLogger(__name__)
_MOST = 1000  # events that wait


async def started(definition: StepDefinition, ti: Any) -> None:
    """Tell of a step that begins."""

    def told() -> dict[str, Any]:
        from metaflow_airflow.operators import lineage_facets

        return {"task": lineage_facets.of_step(definition), "event_time": _now()}

    await _tell(ti, "start_task", told)


async def ended(
    definition: StepDefinition, ti: Any, task: StepTask, result: StepResult | None, error: str = ""
) -> None:
    """Tell of a step that has ended, with what it read and wrote.

    Args:
        result: None where it has none. error: why it failed; empty if it did not.
    """

    def told() -> dict[str, Any]:
        from metaflow_airflow.operators import lineage_facets

        parameters = dict(compat.context_in_trigger(ti)["params"])
        end = result or StepResult(ok=False, exit_code=1)
        facets = lineage_facets.of_attempt(definition, task, end, parameters)
        return {"task": facets, "end_time": _now(), **({"error": error} if error else {})}

    await _tell(ti, "fail_task" if error else "complete_task", told)


async def _tell(ti: Any, method: str, told: Callable[[], dict[str, Any]]) -> None:
    try:
        if not _is_wanted(ti):
            return
        # Where its server is, a connection of Airflow's may say: the loop must not wait for it.
        adapter = await asyncio.to_thread(_adapter)
        words = {**_of_task(ti), **told()}
        _sender().put_nowait(lambda: getattr(adapter, method)(**words))
    except queue.Full:
        _log.warning("OpenLineage is not told of %s: %d events wait", ti.task_id, _MOST)
    except Exception:  # noqa: BLE001 - whatever it is, the step goes on
        _log.exception("OpenLineage is not told of %s", ti.task_id)


def _is_wanted(ti: Any) -> bool:
    """Whether the provider is there, has a server, and tells of the task."""
    if not _is_there():
        return False
    from airflow.providers.openlineage import conf
    from airflow.providers.openlineage.utils.emission_policy import resolve_task_emission_policy

    if conf.is_disabled():
        return False
    policy = resolve_task_emission_policy(operator=ti.task, dag_id=ti.dag_id, task_id=ti.task_id)
    return bool(policy.emit)


@cache
def _is_there() -> bool:
    try:
        return find_spec("airflow.providers.openlineage.utils.emission_policy") is not None
    except ModuleNotFoundError:
        return False


def _of_task(ti: Any) -> dict[str, Any]:
    """The run and the job by the names that the provider gives them, whose DAG runs lead there."""
    from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter
    from airflow.providers.openlineage.utils.utils import get_job_name, get_task_parent_run_facet

    run = compat.context_in_trigger(ti)["dag_run"]
    date = run.logical_date or run.run_after
    start, end = run.data_interval_start, run.data_interval_end
    around = OpenLineageAdapter.build_dag_run_id(
        dag_id=ti.dag_id, logical_date=date, clear_number=getattr(run, "clear_number", None) or 0
    )
    return {
        "run_id": OpenLineageAdapter.build_task_instance_run_id(
            dag_id=ti.dag_id,
            task_id=ti.task_id,
            try_number=ti.try_number,
            logical_date=date,
            map_index=compat.map_index_of(ti),
        ),
        "job_name": get_job_name(ti),
        "job_description": None,
        "nominal_start_time": start.isoformat() if start else None,
        "nominal_end_time": end.isoformat() if end else None,
        "owners": [],
        "tags": [],
        "run_facets": get_task_parent_run_facet(parent_run_id=around, parent_job_name=ti.dag_id),
    }


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()


@cache
def _adapter() -> Any:
    from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter

    adapter = OpenLineageAdapter()
    adapter.get_or_create_openlineage_client()
    return adapter


@cache
def _sender() -> queue.Queue[Callable[[], Any]]:
    waiting: queue.Queue[Callable[[], Any]] = queue.Queue(_MOST)
    threading.Thread(target=_send, args=(waiting,), name="openlineage", daemon=True).start()
    return waiting


def _send(waiting: queue.Queue[Callable[[], Any]]) -> None:
    while True:
        emit = waiting.get()
        try:
            emit()
        except Exception:  # noqa: BLE001 - whatever it is, the next one is sent
            _log.exception("OpenLineage was not told of a step")

"""What upstream tasks said of themselves, as far as it still holds.

Airflow keeps the XCom of a task instance that was cleared and then skipped, or that a shorter list
removed. A reference counts only while its task instance is in state success.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskInstanceState

from metaflow_airflow.attempt.inputs import XCOM_KEY, Reference

if TYPE_CHECKING:
    from airflow.sdk import Context


def of_one(context: Context, step: str, map_index: int, *, may_skip: bool) -> list[Reference]:
    """The reference of one task instance of a step; empty if it was skipped."""
    value = context["ti"].xcom_pull(task_ids=step, key=XCOM_KEY, map_indexes=map_index)
    found = [Reference.from_xcom(value)] if value else []
    if not found or not may_skip:
        return found
    return _successful(_states(context["ti"], step), step, found)


def of_all(context: Context, step: str) -> list[Reference]:
    """The references of all task instances of a mapped step."""
    values: list[Any] = context["ti"].xcom_pull(task_ids=[step], key=XCOM_KEY)
    found = [Reference.from_xcom(value) for value in values if value]
    return _successful(_states(context["ti"], step), step, found)


async def one_in_trigger(ti: Any, step: str, map_index: int, *, may_skip: bool) -> list[Reference]:
    """The same as `of_one`, where the triggerer's loop must not wait."""
    value = await ti.axcom_pull(task_ids=step, key=XCOM_KEY, map_indexes=map_index)
    found = [Reference.from_xcom(value)] if value else []
    if not found or not may_skip:
        return found
    return _successful(await asyncio.to_thread(_states, ti, step), step, found)


async def all_in_trigger(ti: Any, step: str) -> list[Reference]:
    """The same as `of_all`; asks for one XCom after the other, as a triggerer can for no more."""
    states = await asyncio.to_thread(_states, ti, step)
    indexes = [
        int(key.removeprefix(f"{step}_"))
        for key, state in states.items()
        if key != step and state == TaskInstanceState.SUCCESS
    ]
    values = await ti.axcom_pull(task_ids=step, key=XCOM_KEY, map_indexes=sorted(indexes))
    return [Reference.from_xcom(value) for value in values if value]


async def state_in_trigger(
    ti: Any, dag_id: str, dag_run_id: str, task_id: str, map_index: int
) -> str | None:
    """The state of a task instance; None when there is none."""
    states = await asyncio.to_thread(_states, ti, task_id, dag_id=dag_id, dag_run_id=dag_run_id)
    return states.get(_key(task_id, map_index))


def _states(
    ti: Any, task_id: str, *, dag_id: str | None = None, dag_run_id: str | None = None
) -> Mapping[str, Any]:
    run_id = dag_run_id or ti.run_id
    answer = ti.get_task_states(dag_id=dag_id or ti.dag_id, task_ids=[task_id], run_ids=[run_id])
    states: Mapping[str, Any] = answer.get(run_id, {})
    return states


def _successful(
    states: Mapping[str, Any], step: str, references: list[Reference]
) -> list[Reference]:
    return [
        reference
        for reference in references
        if states.get(_key(step, reference.map_index)) == TaskInstanceState.SUCCESS
    ]


def _key(task_id: str, map_index: int) -> str:
    return task_id if map_index < 0 else f"{task_id}_{map_index}"

"""What a try asks of Airflow: about itself, and the outcomes of others as far as they still hold.

Airflow keeps the XCom of a task instance that was cleared and then skipped, or that a shorter list
removed. An outcome counts only while its task instance is in state success.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskInstanceState

from metaflow_airflow.attempt.inputs import XCOM_KEY, Reference
from metaflow_airflow.attempt.tries import Try

if TYPE_CHECKING:
    from airflow.sdk import Context

    from metaflow_airflow.attempt.recipe import Need


def this_try(context: Context, item: Mapping[str, Any] | None, *, max_tries: int) -> Try:
    """The try that a task's context stands for.

    Args:
        item: of the innermost foreach, {path, parent, …}.
    """
    ti = context["ti"]
    return Try(
        dag_id=ti.dag_id,
        dag_run_id=ti.run_id,
        task_id=ti.task_id,
        map_index=map_index_of(ti),
        try_number=ti.try_number,
        max_tries=max_tries,
        path=tuple(item["path"]) if item else (),
        params=context["params"],
        declared=frozenset(context["dag"].params),
        parent=item["parent"] if item else -1,
    )


def map_index_of(ti: Any) -> int:
    """Of a task instance; -1 when it is not mapped."""
    return -1 if ti.map_index is None else int(ti.map_index)


def outcomes(ti: Any, need: Need) -> list[Reference]:
    """What the try needs of a step; empty if that was skipped."""
    if need.map_index is None:
        found = _read(ti.xcom_pull(task_ids=[need.step], key=XCOM_KEY))
    else:
        value = ti.xcom_pull(task_ids=need.step, key=XCOM_KEY, map_indexes=need.map_index)
        found = _read([value])
    if not found or not _asks_states(need):
        return found
    return _successful(found, task_states(ti, need.step))


async def outcomes_in_trigger(ti: Any, need: Need) -> list[Reference]:
    """The same, where the triggerer's loop must not wait and knows no XCom but one by one."""
    states: Mapping[int, Any] = {}
    if _asks_states(need):
        states = await asyncio.to_thread(task_states, ti, need.step)
    indexes = [need.map_index]
    if need.map_index is None:
        indexes = [
            index
            for index, state in sorted(states.items())
            if index >= 0 and state == TaskInstanceState.SUCCESS
        ]
    values = await ti.axcom_pull(task_ids=need.step, key=XCOM_KEY, map_indexes=indexes)
    found = _read(values)
    return _successful(found, states) if _asks_states(need) else found


async def state_in_trigger(
    ti: Any, dag_id: str, dag_run_id: str, task_id: str, map_index: int
) -> str | None:
    """The state of a task instance; None when there is none."""
    states = await asyncio.to_thread(task_states, ti, task_id, dag_id=dag_id, dag_run_id=dag_run_id)
    return states.get(map_index)


def task_states(
    ti: Any, task_id: str, *, dag_id: str | None = None, dag_run_id: str | None = None
) -> Mapping[int, Any]:
    """The states of a task's instances in a run (that of `ti` unless named), by map index."""
    run_id = dag_run_id or ti.run_id
    answer = ti.get_task_states(dag_id=dag_id or ti.dag_id, task_ids=[task_id], run_ids=[run_id])
    mapped = f"{task_id}_"
    return {
        -1 if key == task_id else int(key.removeprefix(mapped)): state
        for key, state in answer.get(run_id, {}).items()
    }


def _asks_states(need: Need) -> bool:
    return need.may_skip or need.map_index is None


def _read(values: Any) -> list[Reference]:
    return [Reference.from_xcom(value) for value in values if value]


def _successful(found: list[Reference], states: Mapping[int, Any]) -> list[Reference]:
    return [each for each in found if states.get(each.map_index) == TaskInstanceState.SUCCESS]

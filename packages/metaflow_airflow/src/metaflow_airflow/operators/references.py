"""What upstream tasks said of themselves, as far as it still holds.

Airflow keeps the XCom of a task instance that was cleared and then skipped, or that a shorter list
removed. A reference counts only while its task instance is in state success.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskInstanceState

from metaflow_airflow.operators.inputs import XCOM_KEY, Reference

if TYPE_CHECKING:
    from airflow.sdk import Context


def of_one(context: Context, step: str, map_index: int, *, may_skip: bool) -> list[Reference]:
    """The reference of one task instance of a step; empty if it was skipped."""
    value = context["ti"].xcom_pull(task_ids=step, key=XCOM_KEY, map_indexes=map_index)
    found = [Reference.from_xcom(value)] if value else []
    return _successful(context, step, found) if may_skip else found


def of_all(context: Context, step: str) -> list[Reference]:
    """The references of all task instances of a mapped step."""
    values: list[Any] = context["ti"].xcom_pull(task_ids=[step], key=XCOM_KEY)
    return _successful(context, step, [Reference.from_xcom(value) for value in values if value])


def _successful(context: Context, step: str, references: list[Reference]) -> list[Reference]:
    ti = context["ti"]
    answer = ti.get_task_states(dag_id=ti.dag_id, task_ids=[step], run_ids=[ti.run_id])
    states = answer.get(ti.run_id, {})
    return [
        reference
        for reference in references
        if states.get(step if reference.map_index < 0 else f"{step}_{reference.map_index}")
        == TaskInstanceState.SUCCESS
    ]

"""What a try asks of Airflow: about itself, and the outcomes of others as far as they still hold.

Airflow keeps the XCom of a task instance that was cleared and then skipped, or that a shorter list
removed. An outcome counts only while its task instance is in state success.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskInstanceState

from metaflow_airflow.attempt.inputs import XCOM_KEY, Reference
from metaflow_airflow.attempt.run_events import XCOM_KEY as EVENTS_KEY
from metaflow_airflow.attempt.run_events import Event
from metaflow_airflow.attempt.tries import Try
from metaflow_airflow.compat import airflow as compat
from metaflow_airflow.compat.airflow_assets import said_key
from metaflow_airflow.plan.dag import EventsTask

if TYPE_CHECKING:
    from airflow.sdk import Context

    from metaflow_airflow.attempt.recipe import Need


def this_try(
    context: Context,
    item: Mapping[str, Any] | None,
    *,
    max_tries: int,
    failed: Sequence[int] | None = None,
    events: Sequence[Event] | None = None,
) -> Try:
    """The try that a task's context stands for.

    Args:
        item: of the innermost foreach, {path, parent, label}; the triggerer knows no label.
        failed: the tries in which the step itself failed; None where Airflow does not remember.
        events: that started the run, where the context does not say.
    """
    ti = context["ti"]
    return Try(
        dag_id=ti.dag_id,
        dag_run_id=ti.run_id,
        task_id=ti.task_id,
        map_index=compat.map_index_of(ti),
        try_number=ti.try_number,
        max_tries=max_tries,
        path=tuple(item["path"]) if item else (),
        params=context["params"],
        declared=frozenset(context["dag"].params),
        parent=item["parent"] if item else -1,
        label=item.get("label") if item else None,
        events=tuple(events_of_run(context) if events is None else events),
        failed=None if failed is None else tuple(failed),
        times=times_of_run(context),
    )


def events_of_run(context: Context) -> list[Event]:
    """The asset events that started a task's run, on a worker; a triggerer is told none."""
    return [
        Event(each.asset.name, each.asset.uri, each.timestamp.isoformat(), dict(each.extra))
        for each in context["dag_run"].consumed_asset_events or ()
    ]


async def events_in_trigger(ti: Any) -> list[Event]:
    """The same from the task that a DAG with such steps has for it."""
    [found] = await compat.pull_in_trigger(ti, EventsTask.name, EVENTS_KEY, [-1])
    return [Event(**each) for each in found or ()]


def times_of_run(context: Context) -> dict[str, str]:
    """What a run has of logical_date, data_interval_start, data_interval_end, partition_key."""
    run = context["dag_run"]
    times = {
        name: getattr(run, name)
        for name in ("logical_date", "data_interval_start", "data_interval_end")
    }
    found = {name: time.isoformat() for name, time in times.items() if time is not None}
    key = said_key(getattr(run, "partition_key", None))  # which runs have since 3.2
    return {**found, "partition_key": key} if key else found


def outcomes(ti: Any, need: Need) -> list[Reference]:
    """What the try needs of a step; empty if that was skipped."""
    if need.map_index is None:
        found = _read(compat.pull_all(ti, need.step, XCOM_KEY))
    else:
        found = _read([compat.pull_one(ti, need.step, XCOM_KEY, need.map_index)])
    if not found or not _asks_states(need):
        return found
    return _successful(found, compat.states_of_task(ti.dag_id, ti.run_id, need.step))


async def outcomes_in_trigger(ti: Any, need: Need) -> list[Reference]:
    """The same, where the triggerer's loop must not wait."""
    states: Mapping[int, Any] = {}
    if _asks_states(need):
        states = await asyncio.to_thread(compat.states_of_task, ti.dag_id, ti.run_id, need.step)
    if need.map_index is not None:
        indexes = [need.map_index]
    else:
        indexes = sorted(n for n, state in states.items() if n >= 0 and _is_success(state))
    found = _read(await compat.pull_in_trigger(ti, need.step, XCOM_KEY, indexes))
    return _successful(found, states) if _asks_states(need) else found


async def state_in_trigger(
    dag_id: str, dag_run_id: str, task_id: str, map_index: int
) -> str | None:
    """The state of a task instance; None when there is none."""
    states = await asyncio.to_thread(compat.states_of_task, dag_id, dag_run_id, task_id)
    return states.get(map_index)


def _asks_states(need: Need) -> bool:
    return need.may_skip or need.map_index is None


def _read(values: Any) -> list[Reference]:
    return [Reference.from_xcom(value) for value in values if value]


def _successful(found: list[Reference], states: Mapping[int, Any]) -> list[Reference]:
    return [each for each in found if _is_success(states.get(each.map_index))]


def _is_success(state: Any) -> bool:
    return bool(state == TaskInstanceState.SUCCESS)

"""What stands before and after: the tasks around a task, the runs around a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow.models.asset import AssetEvent
from airflow.models.dagbag import DBDagBag
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.xcom import XComModel
from airflow.providers.standard.operators.trigger_dagrun import XCOM_RUN_ID
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import Text, and_, cast, select

from metaflow_airflow.pages.lookup import Instance, indexes_of, instances_of

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

    from metaflow_airflow.plan.record import Record

_dags = DBDagBag(load_op_links=False)


@dataclass(frozen=True)
class Neighbour:
    """A step beside a task's.

    Args:
        items: how many task instances it has. map_index: of the one that belongs to the task's
            own item, -1 for a step without items, None where all of them do.
    """

    step: str
    items: int
    map_index: int | None


@dataclass(frozen=True)
class HandedOn:
    """What one run did that started another: it published an asset, or had a task for it.

    Args:
        by: the asset's URI, or the task's id.
        dag_id, run_id: the other run; None where nobody did, nobody waited, or it is not to be
            seen.
    """

    by: str
    dag_id: str | None
    run_id: str | None


def tasks_around(
    session: Session, record: Record, run: DagRun, instance: Instance
) -> tuple[list[Neighbour], list[Neighbour]]:
    """The steps before and after a task."""
    dag = _dags.get_dag_for_run(run, session)
    if dag is None or not dag.has_task(instance.task_id):
        return [], []
    around = []
    for attribute in ("upstream_task_ids", "downstream_task_ids"):
        steps: list[str] = []
        waiting = [instance.task_id]
        while waiting:
            for name in sorted(getattr(dag.get_task(waiting.pop()), attribute)):
                # Between a nested foreach and its body stands a task that is no step.
                (steps if name in record.steps else waiting).append(name)
        around.append([_neighbour(session, record, run, instance, name) for name in steps])
    return around[0], around[1]


def causes(session: Session, run: DagRun, readable: Collection[str]) -> list[HandedOn]:
    """What the run was started by: assets and the runs that published them, or a run's task.

    Args:
        readable: ids of the DAGs that the reader may see; of another's run nothing is told.
    """
    found = [
        HandedOn(event.uri, event.source_dag_id, event.source_run_id)
        for event in _known(run.consumed_asset_events)
    ]
    if run.triggered_by == DagRunTriggeredByType.OPERATOR:
        found += _triggering_tasks(session, run)
    return _told(found, readable)


def effects(session: Session, run: DagRun, readable: Collection[str]) -> list[HandedOn]:
    """What the run published, and the runs that this started; readable as for `causes`."""
    published = session.scalars(
        select(AssetEvent).where(
            AssetEvent.source_dag_id == run.dag_id, AssetEvent.source_run_id == run.run_id
        )
    )
    found: list[HandedOn] = []
    for event in _known(published):
        started = [HandedOn(event.uri, each.dag_id, each.run_id) for each in event.created_dagruns]
        found += started or [HandedOn(event.uri, None, None)]
    return _told(found, readable)


def _told(found: Iterable[HandedOn], readable: Collection[str]) -> list[HandedOn]:
    told = (each if each.dag_id in readable else HandedOn(each.by, None, None) for each in found)
    return list(dict.fromkeys(told))


def _triggering_tasks(session: Session, run: DagRun) -> list[HandedOn]:
    """The task of TriggerDagRunOperator that made the run: it leaves the run's id.

    One id may name runs of several DAGs: which DAG it triggers, its rendered fields say, which
    Airflow keeps of the newest runs alone.
    """
    keys = ("task_id", "dag_id", "run_id", "map_index")
    fields = RenderedTaskInstanceFields
    same = [getattr(XComModel, key) == getattr(fields, key) for key in keys]
    asked = (
        select(XComModel.task_id, XComModel.dag_id, XComModel.run_id, fields.rendered_fields)
        .outerjoin(fields, and_(*same))
        .where(
            XComModel.key == XCOM_RUN_ID,
            cast(XComModel.value, Text).contains(run.run_id, autoescape=True),
        )
    )
    return [
        HandedOn(task_id, dag_id, run_id)
        for task_id, dag_id, run_id, rendered in session.execute(asked)
        if (rendered or {}).get("trigger_dag_id", run.dag_id) == run.dag_id
    ]


def _known(events: Iterable[AssetEvent]) -> list[AssetEvent]:
    """Those whose asset still exists, the oldest first."""
    return sorted((e for e in events if e.asset is not None), key=lambda event: event.timestamp)


def _neighbour(
    session: Session, record: Record, run: DagRun, instance: Instance, step: str
) -> Neighbour:
    indexes = indexes_of(session, record.dag_id, run.run_id, step)
    if len(indexes) == 1:
        return Neighbour(step, 1, indexes[0])
    # In the body of one foreach, tasks of the same item have the same index and label.
    own = instance.map_index
    found = instances_of(session, record, run.run_id, task_id=step, map_index=own)
    same = own >= 0 and [each.label for each in found] == [instance.label]
    return Neighbour(step, len(indexes), own if same else None)

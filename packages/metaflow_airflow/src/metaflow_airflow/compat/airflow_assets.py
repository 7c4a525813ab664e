"""What the bridge takes from Airflow's asset events beside their documented interface.

Read in Airflow 3.3.2: assets/manager.py, jobs/scheduler_job_runner.py. A row of
AssetPartitionDagRun is a run that the scheduler makes as soon as the events that are logged to it
(PartitionedAssetKeyLog) are all that the DAG's timetable waits for, in a transaction that notes the
run in the row: so one row is one run, whoever dies meanwhile.

Only the asset manager imports this: it needs Airflow's models.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_KEYLESS = "event "
_TIMETABLE = "metaflow_airflow.operators.on_events.OnEvents"


def has_rows_of_runs() -> bool:
    """Whether this Airflow makes such rows into runs as 3.3 does."""
    from airflow.models import asset

    return hasattr(getattr(asset, "AssetPartitionDagRun", None), "rollup_fingerprint")


def is_on_events(dag: Any) -> bool:
    """Whether a DagModel's timetable is ours (of a plugin's, collection.py writes the path)."""
    return bool(dag.timetable_type == _TIMETABLE)


def said_key(partition_key: str | None) -> str | None:
    """A run's partition key, unless it stands for events that have none."""
    if partition_key and partition_key.startswith(_KEYLESS):
        return None
    return partition_key


def await_run(
    dag: Any,
    *,
    asset_id: int,
    event: Any,
    partition_key: str | None,
    session: Session,
    **_: Any,
) -> None:
    """Have the scheduler make the run that an event starts, when nothing else is waited for.

    An event of several that a run waits for joins those of the same partition key, or those
    without one. Their row is locked: the scheduler, which skips locked rows, may be making its run,
    and two events may come at once.

    Args:
        dag: a DagModel; its `asset_expression` is what its timetable waits for.
    """
    from airflow.models.asset import AssetPartitionDagRun, PartitionedAssetKeyLog

    dag_id, row = dag.dag_id, None
    key = partition_key or f"{_KEYLESS}{event.id}"
    if len((dag.asset_expression or {}).get("all", ())) > 1:
        key = partition_key or f"{_KEYLESS}of several"
        row = _waiting(dag_id, key, _reset_at(dag_id, session), session)
    if row is None:
        row = AssetPartitionDagRun(
            target_dag_id=dag_id,
            created_dag_run_id=None,
            partition_key=key,
            partition_date=None,
            rollup_fingerprint={},  # of a timetable that maps no keys
        )
        session.add(row)
        session.flush()
    session.add(
        PartitionedAssetKeyLog(
            asset_id=asset_id,
            asset_event_id=event.id,
            asset_partition_dag_run_id=row.id,
            source_partition_key=key,
            target_dag_id=dag_id,
            target_partition_key=key,
        )
    )


def _reset_at(dag_id: str, session: Session) -> list[str] | None:
    """What a DAG's timetable says of it, which takes long to read."""
    from airflow.models.serialized_dag import SerializedDagModel

    serialized = SerializedDagModel.get(dag_id=dag_id, session=session)
    if serialized is None:
        raise RuntimeError(f"DAG {dag_id} waits for an event, and Airflow has no definition of it")
    timetable: Any = serialized.dag.timetable
    found: list[str] | None = timetable.reset_at
    return found


def _waiting(dag_id: str, key: str, reset_at: list[str] | None, session: Session) -> Any:
    """The run that waits for other events; None for none, or for one that was to be forgotten."""
    from airflow.models.asset import (
        AssetPartitionDagRun,
        DagScheduleAssetReference,
        DagScheduleAssetUriReference,
        PartitionedAssetKeyLog,
    )
    from sqlalchemy import delete, select

    # One event of a DAG at a time: each locks the same rows, in the same order.
    for references in (DagScheduleAssetReference, DagScheduleAssetUriReference):
        session.execute(
            select(references.dag_id)
            .where(references.dag_id == dag_id)
            .order_by(references.created_at)
            .with_for_update()
        )
    row = session.scalar(
        select(AssetPartitionDagRun)
        .where(
            AssetPartitionDagRun.target_dag_id == dag_id,
            AssetPartitionDagRun.partition_key == key,
            AssetPartitionDagRun.created_dag_run_id.is_(None),
        )
        .order_by(AssetPartitionDagRun.id.desc())
        .limit(1)
        .with_for_update()
    )
    if row is not None and reset_at and row.created_at < _last_tick(*reset_at):
        session.execute(
            delete(PartitionedAssetKeyLog).where(
                PartitionedAssetKeyLog.asset_partition_dag_run_id == row.id
            )
        )
        session.delete(row)
        session.flush()
        return None
    return row


def _last_tick(cron: str, timezone: str) -> datetime:
    from zoneinfo import ZoneInfo

    from croniter import croniter

    found: datetime = croniter(cron, datetime.now(ZoneInfo(timezone))).get_prev(datetime)
    return found

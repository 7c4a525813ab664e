"""What Airflow's own database says of a task instance, a run or a DAG that a page is about."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.models.connection import Connection
from airflow.models.dag_version import DagVersion
from airflow.models.dagcode import DagCode
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import select

from metaflow_airflow.airflow_api.deployments import read_record
from metaflow_airflow.attempt.inputs import XCOM_KEY, Reference
from metaflow_airflow.compat.airflow import AirflowNotFoundException
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.pages.page_error import PageError
from metaflow_airflow.pages.words import say
from metaflow_airflow.wire import ids

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from metaflow_airflow.pages.task_address import TaskAddress
    from metaflow_airflow.plan.record import Record


# A run may have thousands of instances; a whole one is ten times as much work.
_COLUMNS = (
    TaskInstance.task_id,
    TaskInstance.map_index,
    TaskInstance.state,
    TaskInstance.start_date,
    TaskInstance.duration,
    TaskInstance.try_number,
    TaskInstance._rendered_map_index.label("label"),
)


@dataclass(frozen=True)
class Instance:
    """A task instance of a step.

    Args:
        map_index: -1 when it is not mapped. label: its item, as Airflow shows it.
        pathspec: of its Metaflow task; None while nobody knows it. code: the package that it ran.
    """

    task_id: str
    map_index: int
    state: str
    label: str
    began: datetime | None
    seconds: float | None
    pathspec: str | None
    code: str | None = None


@dataclass(frozen=True)
class Version:
    """A version of a DAG: its number in Airflow, and the commit that it was exported from."""

    number: int
    commit: str = ""


def versions_of(session: Session, runs: Iterable[DagRun]) -> dict[str, Version]:
    """The version that each run was created with, by run id."""
    of_run = {run.run_id: run.created_dag_version_id for run in runs}
    asked = (
        select(DagVersion.id, DagVersion.version_number, DagCode.source_code)
        .join(DagCode, DagCode.dag_version_id == DagVersion.id)
        .where(DagVersion.id.in_(set(of_run.values())))
    )
    found = {key: Version(number, _commit(code)) for key, number, code in session.execute(asked)}
    return {run_id: found[key] for run_id, key in of_run.items() if key in found}


def _commit(code: str) -> str:
    try:
        return read_record(code).commit
    except BridgeError:  # of a DAG of that name that was no flow's, or older than records
        return ""


def record_of(session: Session, dag_id: str) -> Record:
    """What the deployment behind a DAG says of itself.

    Raises:
        PageError: no such DAG, or no flow's.
    """
    code = session.scalar(
        select(DagCode)
        .where(DagCode.dag_id == dag_id)
        .order_by(DagCode.last_updated.desc())
        .limit(1)
    )
    if code is None:
        raise PageError(say("no_code", dag=dag_id), 404)
    try:
        return read_record(code.source_code)
    except BridgeError as error:
        raise PageError(say("no_flow", dag=dag_id, why=error), 404) from error


def run_of(session: Session, dag_id: str, run_id: str) -> DagRun:
    """A DAG run.

    Raises:
        PageError: there is none.
    """
    found: DagRun | None = session.scalar(
        select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
    )
    if found is None:
        raise PageError(say("no_run", dag=dag_id, run=run_id), 404)
    return found


def instances_of(
    session: Session, record: Record, run_id: str, **only: str | int
) -> list[Instance]:
    """The task instances of a run's steps, in the order in which they began.

    Args:
        only: the task_id and the map_index of those that are asked for.
    """
    asked = select(*_COLUMNS).where(
        TaskInstance.dag_id == record.dag_id, TaskInstance.run_id == run_id
    )
    asked = asked.where(*(getattr(TaskInstance, name) == only[name] for name in only))
    references = _references(session, record.dag_id, run_id, only)
    found = [
        _instance(record, run_id, each, references.get((each.task_id, each.map_index)))
        for each in session.execute(asked)
        if "task_id" in only or not record.steps or each.task_id in record.steps
    ]
    return sorted(found, key=lambda each: (each.began is None, each.began, each.map_index))


def instance_of(session: Session, record: Record, address: TaskAddress) -> Instance:
    """One task instance.

    Raises:
        PageError: there is none.
    """
    found = instances_of(
        session, record, address.run_id, task_id=address.task_id, map_index=address.map_index
    )
    if found:
        return found[0]
    raise PageError(say("no_instance", task=address), 404)


def indexes_of(session: Session, dag_id: str, run_id: str, task_id: str) -> list[int]:
    """The map indexes of a task's instances in a run."""
    asked = select(TaskInstance.map_index).where(
        TaskInstance.dag_id == dag_id,
        TaskInstance.run_id == run_id,
        TaskInstance.task_id == task_id,
    )
    return list(session.scalars(asked))


def runs_of(session: Session, dag_id: str, most: int) -> Sequence[DagRun]:
    """A DAG's newest runs."""
    asked = select(DagRun).where(DagRun.dag_id == dag_id)
    return session.scalars(asked.order_by(DagRun.run_after.desc()).limit(most)).all()


def deployed_at(session: Session, dag_id: str) -> datetime | None:
    """When Airflow took the DAG's newest code."""
    return session.scalar(
        select(DagCode.last_updated)
        .where(DagCode.dag_id == dag_id)
        .order_by(DagCode.last_updated.desc())
        .limit(1)
    )


def environment_of(record: Record) -> dict[str, str]:
    """The variables for reading the datastore: of the flow's connection, or the server's.

    Raises:
        PageError: Airflow has no such connection.
    """
    conn_id = record.deployment.connection
    if not conn_id:
        return dict(os.environ)
    try:
        found = Connection.get_connection_from_secrets(conn_id)
    except AirflowNotFoundException as error:
        raise PageError(say("no_connection", name=conn_id, why=error)) from error
    if not found.login or not found.password:
        return dict(os.environ)  # a role, which this server has its own way to take
    extra = found.extra_dejson
    own = {
        "AWS_ACCESS_KEY_ID": found.login,
        "AWS_SECRET_ACCESS_KEY": found.password,
        "AWS_SESSION_TOKEN": extra.get("aws_session_token") or "",
        "AWS_REGION": extra.get("region_name"),
        "METAFLOW_S3_ENDPOINT_URL": extra.get("endpoint_url"),
    }
    return {**os.environ, **{name: value for name, value in own.items() if value is not None}}


def roots_of(record: Record, environ: Mapping[str, str]) -> tuple[str, str]:
    """Where the flow's artifacts and its cards are."""
    root = record.deployment.datastore_root
    names = {"s3": "METAFLOW_CARD_S3ROOT", "gs": "METAFLOW_CARD_GSROOT",
             "azure": "METAFLOW_CARD_AZUREROOT", "local": "METAFLOW_CARD_LOCALROOT"}  # fmt: skip
    name = names.get(record.deployment.datastore, "")
    cards = environ.get(name) or record.deployment.environment.get(name)
    return root, cards or f"{root.rstrip('/')}/mf.cards"


def _references(
    session: Session, dag_id: str, run_id: str, only: Mapping[str, str | int]
) -> dict[tuple[str, int], Reference]:
    asked = select(XComModel.task_id, XComModel.map_index, XComModel.value).where(
        XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key == XCOM_KEY
    )
    asked = asked.where(*(getattr(XComModel, name) == only[name] for name in only))
    return {
        (task, index): Reference.from_xcom(value)
        for task, index, value in session.execute(asked)
        if value
    }


def _instance(record: Record, run_id: str, found: Any, reference: Reference | None) -> Instance:
    return Instance(
        task_id=found.task_id,
        map_index=found.map_index,
        state=str(found.state or "none"),
        label=_label(found, reference),
        began=found.start_date,
        seconds=found.duration,
        pathspec=f"{record.flow}/{reference.pathspec}"
        if reference
        else _pathspec(record, run_id, found),
        code=(reference.code or {}).get("url") if reference else None,
    )


def _pathspec(record: Record, run_id: str, found: Any) -> str | None:
    """Of a task that has not said it yet: outside of a foreach it can be computed."""
    if found.map_index >= 0 or found.task_id not in record.steps:
        return None
    run = ids.run_id(record.dag_id, run_id)
    generation = max(found.try_number - 1, 0) // ids.MAX_ATTEMPTS
    task = ids.task_id(run, found.task_id, (), generation)
    return f"{record.flow}/{run}/{found.task_id}/{task}"


def _label(found: Any, reference: Reference | None) -> str:
    if found.map_index < 0:
        return ""
    # Airflow takes no label from a trigger: of an item in a pod its step has said it.
    return str(found.label or (reference and reference.label) or found.map_index)

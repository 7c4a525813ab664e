"""A flow's run as Airflow's tables and a datastore have it, without any of Airflow's servers."""

from __future__ import annotations

import runpy
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagcode import DagCode
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from metaflow_airflow.attempt.inputs import XCOM_KEY
from metaflow_airflow.graph.read_graph import read_graph
from metaflow_airflow.pages import datastore
from metaflow_airflow.plan.assemble import assemble
from metaflow_airflow.plan.dag import Plan
from metaflow_airflow.plan.record import Parameter
from metaflow_airflow.plan.step import Deployment
from metaflow_airflow.render import render
from metaflow_airflow.wire import ids
from sqlalchemy import Engine, create_engine, delete, insert
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

NOW = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
RUN = "manual__1"


@dataclass
class Deployed:
    """A flow that Airflow has loaded, and its runs."""

    session: Session
    plan: Plan
    dag: Any
    root: Path
    xcoms: int = 0

    def run(self, run_id: str = RUN, **fields: Any) -> DagRun:
        """A run of it, which has the DAG's newest version."""
        made = DagRun(
            dag_id=self.plan.dag_id,
            run_id=run_id,
            run_after=NOW,
            state=DagRunState.SUCCESS,
            run_type=DagRunType.MANUAL,
            **{"triggered_by": DagRunTriggeredByType.UI, **fields},
        )
        made.created_dag_version = DagVersion.get_latest_version(
            self.plan.dag_id, session=self.session
        )
        self.session.add(made)
        self.session.commit()
        return made

    def task(
        self,
        step: str,
        map_index: int = -1,
        *,
        run_id: str = RUN,
        state: str = "success",
        label: str | None = "item={}",
    ) -> str:
        """A task instance of a run's step, which has ended; its pathspec.

        Args:
            label: as Airflow shows its item, with its index; None where a pod ran it.
        """
        run = ids.run_id(self.plan.dag_id, run_id)
        path = (map_index,) if map_index >= 0 else ()
        pathspec = f"{run}/{step}/{ids.task_id(run, step, path)}"
        operator = self.dag.get_task(step)
        version = DagVersion.get_latest_version(self.plan.dag_id, session=self.session)
        assert version
        made = TaskInstance(operator, version.id, run_id=run_id, state=state, map_index=map_index)
        made.start_date, made.duration, made.try_number = NOW + timedelta(seconds=1), 2.5, 1
        if map_index >= 0 and label:
            made._rendered_map_index = label.format(map_index)
        self.session.add(made)
        self.session.commit()
        said = {"pathspec": pathspec, "map_index": map_index}
        self.leave(step, XCOM_KEY, said, map_index=map_index, run_id=run_id)
        return f"{self.plan.flow}/{pathspec}"

    def leave(self, task: str, key: str, value: Any, *, map_index: int = -1, **place: str) -> None:
        """An XCom of a task, of this DAG's run unless the place says another dag_id or run_id."""
        row = {"dag_id": self.plan.dag_id, "run_id": RUN, **place}
        self.xcoms += 1
        same = (XComModel.task_id == task, XComModel.map_index == map_index, XComModel.key == key)
        where = [getattr(XComModel, name) == row[name] for name in row]
        self.session.execute(delete(XComModel).where(*same, *where))
        self.session.execute(
            insert(XComModel).values(
                dag_run_id=self.xcoms, task_id=task, map_index=map_index, key=key, value=value,
                timestamp=NOW + timedelta(seconds=self.xcoms), **row,
            )
        )  # fmt: skip
        self.session.commit()

    def keep(self, pathspec: str, files: Mapping[str, bytes | str]) -> None:
        """Files of a task in the datastore."""
        for name, content in files.items():
            path = self.root / pathspec / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture(scope="module")
def tables() -> Iterator[Engine]:
    """Airflow's tables, in memory; any thread may ask."""
    import_all_models()
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def session(tables: Engine) -> Iterator[Session]:
    """Airflow's tables, empty."""
    with Session(tables) as opened:
        yield opened
    with tables.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    taken.append(listening.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        for connection in taken:
            connection.close()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is: the time that a page has is another test's affair."""
    monkeypatch.setattr(datastore, "SECONDS", 60)


@pytest.fixture
def deployed(session, flow, tmp_path, patience) -> Deployed:
    """The flow of three steps around a foreach, with its datastore in a folder."""
    return deploy(session, flow("hostile"), tmp_path)


def deploy(session: Session, flow: Any, folder: Path, **deployment: str) -> Deployed:
    """A flow as Airflow has it once its DAG file was parsed; its datastore is a folder."""
    root = folder / "datastore"
    (root / "mf.cards").mkdir(parents=True)
    words: dict[str, Any] = {
        "code": "c",
        "datastore": "local",
        "datastore_root": str(root),
    } | deployment
    plan = assemble(
        read_graph(flow),
        Deployment("flow.py", **words),
        parameters=[Parameter("city")],
        commit="c0ffee",
    )
    file = folder / f"{plan.flow}.py"
    file.write_text(render(plan))
    dag = runpy.run_path(str(file))["dag"]
    dag.fileloc = str(file)
    session.add(DagBundleModel(name="dags"))
    session.add(DagModel(dag_id=dag.dag_id, fileloc=dag.fileloc, bundle_name="dags"))
    session.commit()
    SerializedDagModel.write_dag(LazyDeserializedDAG.from_dag(dag), "dags", session=session)
    session.commit()
    assert session.query(DagCode).one().source_code == render(plan)
    return Deployed(session, plan, dag, root)

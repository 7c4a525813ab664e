"""Writes a foreach's items again and again until there are as many as wanted.

    python benchmarks/many_items.py DAG_ID RUN_ID STEP ITEMS

Runs with Airflow's environment: rows in its database, files of their tasks in the datastore.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import boto3
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from botocore.config import Config
from metaflow_airflow.attempt.inputs import XCOM_KEY, Reference
from metaflow_airflow.pages.lookup import record_of
from metaflow_airflow.wire import ids
from sqlalchemy import insert, select
from uuid6 import uuid7


def main(dag_id: str, run_id: str, step: str, items: int) -> None:
    """Copy the first item of the step."""
    tasks, xcoms = TaskInstance.__table__, XComModel.__table__
    with create_session() as session:
        record = record_of(session, dag_id)
        row = _first(session, tasks, run_id, step)
        said = _first(session, xcoms, run_id, step)
        reference = Reference.from_xcom(said["value"])
        run = ids.run_id(dag_id, run_id)
        indexes = range(3, items)
        paths = {index: f"{run}/{step}/{ids.task_id(run, step, (index,))}" for index in indexes}
        session.execute(
            insert(tasks),
            [
                {**row, "id": uuid7(), "map_index": i, "rendered_map_index": f"item={i}"}
                for i in indexes
            ],
        )
        session.execute(
            insert(xcoms),
            [
                {**said, "map_index": i, "value": {**reference.to_xcom(), "pathspec": paths[i]}}
                for i in indexes
            ],
        )
    _copy_files(
        record.deployment.datastore_root,
        f"{record.flow}/{reference.pathspec}",
        [f"{record.flow}/{path}" for path in paths.values()],
    )


def _first(session: Any, table: Any, run_id: str, step: str) -> Mapping[str, Any]:
    where = [table.c.run_id == run_id, table.c.task_id == step, table.c.map_index == 0]
    if "key" in table.c:
        where.append(table.c.key == XCOM_KEY)
    found: Mapping[str, Any] = session.execute(select(table).where(*where)).mappings().one()
    return dict(found)


def _copy_files(root: str, first: str, others: list[str]) -> None:
    """Each item's own files; what they point to, artifacts' contents, is the first one's."""
    bucket, _, prefix = root.removeprefix("s3://").partition("/")
    client = boto3.client("s3", config=Config(max_pool_connections=16))
    found = client.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/{first}/")["Contents"]
    content = {
        each["Key"].rpartition("/")[2]: client.get_object(Bucket=bucket, Key=each["Key"])[
            "Body"
        ].read()
        for each in found
    }
    with ThreadPoolExecutor(16) as pool:
        for name, body in content.items():
            keys = [f"{prefix}/{other}/{name}" for other in others]
            put = partial(client.put_object, Bucket=bucket, Body=body)
            list(pool.map(lambda key, put=put: put(Key=key), keys))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))

"""A value that outlives a try, in the installed Airflow."""

from uuid import uuid4

from airflow.sdk._shared.state import TaskScope
from airflow.sdk.definitions.context import Context
from airflow.sdk.execution_time import comms, context
from metaflow_airflow.compat import airflow_memory

from .test_airflow import told  # noqa: F401


def test_remembers():
    assert airflow_memory.remembers() == ("task_state_store" in Context.__annotations__)


def test_remember(told):  # noqa: F811
    airflow_memory.remember(_context(), "key", [1, 2])

    [asked] = told.messages
    assert (type(asked).__name__, asked.key, asked.value) == ("SetTaskStateStore", "key", [1, 2])


def test_recall(told):  # noqa: F811
    told.answers["GetTaskStateStore"] = comms.TaskStateStoreResult(value=[3])
    assert airflow_memory.recall(_context(), "key", []) == [3]

    told.answers.clear()
    assert airflow_memory.recall(_context(), "key", []) == []


def _context():
    scope = TaskScope(dag_id="Flow", run_id="manual", task_id="work", map_index=-1)
    return {"task_state_store": context.TaskStateStoreAccessor(uuid4(), scope)}

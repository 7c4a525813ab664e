"""All that the bridge takes from Airflow and its providers beside their documented interface.

Each function says why, and in which version it was read (Airflow 3.3.2, cncf-kubernetes 10.25.0
unless it says another); tests/compat/test_airflow.py has a test of its name, which fails when
upstream moves it. What differs between Airflow 3.1 and 3.3 is decided here too.

Airflow parses DAG files often: nothing is imported at the top that airflow.sdk does not bring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSkipException,
        AirflowTaskTimeout,
    )
else:
    try:
        from airflow.sdk.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSkipException,
            AirflowTaskTimeout,
        )
    except ImportError:  # before 3.2
        from airflow.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSkipException,
            AirflowTaskTimeout,
        )

__all__ = [
    "RETURNED",
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "configured_pod_operator",
    "context_in_trigger",
    "done_event",
    "failed_event",
    "limit_of_run",
    "load_cluster_client",
    "map_index_of",
    "pull_all",
    "pull_in_trigger",
    "pull_one",
    "push_in_trigger",
    "push_xcom",
    "schedule_of_dag",
    "skipped_event",
    "start_in_triggerer",
    "states_of_task",
]

RETURNED = "return_value"
"""The key of what a task returned (XCOM_RETURN_KEY of a class that takes long to import)."""


# Task instances and what they said


def map_index_of(ti: Any) -> int:
    """Of a task instance; -1 when it is not mapped.

    The worker's is -1 or None depending on how it was started, the triggerer's is a number.
    """
    return -1 if ti.map_index is None else int(ti.map_index)


def states_of_task(dag_id: str, dag_run_id: str, task_id: str) -> Mapping[int, Any]:
    """The states of a task's instances in a run, by map index.

    A method of the task instance that needs none: a trigger may have one that is not whole.
    Airflow answers {run: {"task" or "task_5": state}}; that form of the keys is written nowhere
    but in the API server's own code (execution_api/routes/task_instances.py).
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    answer = RuntimeTaskInstance.get_task_states(
        dag_id=dag_id, task_ids=[task_id], run_ids=[dag_run_id]
    )
    mapped = f"{task_id}_"
    return {
        -1 if key == task_id else int(key.removeprefix(mapped)): state
        for key, state in answer.get(dag_run_id, {}).items()
    }


def pull_one(ti: Any, task_id: str, key: str, map_index: int) -> Any:
    """What one task instance left under a key; None when nothing."""
    return ti.xcom_pull(task_ids=task_id, key=key, map_indexes=map_index)


def pull_all(ti: Any, task_id: str, key: str) -> list[Any]:
    """What all instances of a task left under a key. On a worker only: see pull_in_trigger.

    That a list of one name means the values of all map indexes follows from the code of xcom_pull.
    """
    return [value for value in ti.xcom_pull(task_ids=[task_id], key=key) if value is not None]


async def pull_in_trigger(ti: Any, task_id: str, key: str, map_indexes: Iterable[int]) -> list[Any]:
    """What task instances left under a key, None where nothing, from a triggerer.

    Never without map indexes: the triggerer cannot decode the answer to that question, waits for
    it without end, and with it all of its triggers.
    """
    values = await ti.axcom_pull(task_ids=task_id, key=key, map_indexes=list(map_indexes))
    return list(values)


def push_xcom(context: Any, key: str, value: Any) -> None:
    """Push an XCom of the task, whose row may be there by a request that was given up.

    Where the database stands still, the client repeats a request after a while; Airflow writes
    both at once then, and answers 409 to the one that comes second (read in 3.3.2).
    """
    from airflow.sdk.exceptions import AirflowRuntimeError

    for last in (False, False, False, True):
        try:
            context["ti"].xcom_push(key=key, value=value)
        except AirflowRuntimeError as error:
            if last or (error.error.detail or {}).get("status_code") != HTTPStatus.CONFLICT:
                raise
        else:
            return


async def push_in_trigger(ti: Any, key: str, value: Any) -> None:
    """Leave a value under a key.

    The task instance's own xcom_push wants the operator's class, which no triggerer has.
    """
    from airflow.sdk.execution_time.xcom import XCom

    await XCom.aset(
        key,
        value,
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        map_index=map_index_of(ti),
    )


# Tasks that start in the triggerer


def start_in_triggerer(trigger: str, arguments: Mapping[str, Any], then: str) -> dict[str, Any]:
    """Arguments of an operator whose task the scheduler hands straight to the triggerer.

    They go into `partial` as well: of a mapped task the scheduler does not see what its class says
    (models/taskinstance.py, defer_task). 3.1 and 3.2 take them, but the code in their schedulers is
    commented out: the task goes to a worker.

    Args:
        trigger: class path. then: the operator's method that takes the trigger's event.
    """
    from airflow.triggers.base import StartTriggerArgs

    return {
        "start_from_trigger": True,
        "start_trigger_args": StartTriggerArgs(
            trigger_cls=trigger, trigger_kwargs=dict(arguments), next_method=then
        ),
    }


def context_in_trigger(ti: Any) -> Any:
    """The context that the task would have on a worker: its run, its DAG, its parameters.

    Only a task that started from its trigger has it (jobs/triggerer_job_runner.py).
    """
    return ti.get_template_context()


def limit_of_run(ti: Any) -> int | None:
    """max_active_tasks of a task instance's DAG, from a triggerer; None where it has none.

    Airflow itself does not count what no worker runs. The task is there because it started from
    its trigger (jobs/triggerer_job_runner.py).
    """
    limit: int | None = ti.task.dag.max_active_tasks
    return limit


def done_event(xcoms: Mapping[str, Any]) -> Any:
    """Ends a task from its trigger as done, leaving values by key.

    This event and the next two are in airflow.triggers.base, and in no documentation.
    """
    from airflow.triggers.base import TaskSuccessEvent

    return TaskSuccessEvent(xcoms=dict(xcoms))


def failed_event() -> Any:
    """Ends a task from its trigger as failed; Airflow retries it if it has retries left."""
    from airflow.triggers.base import TaskFailedEvent

    return TaskFailedEvent()


def skipped_event() -> Any:
    """Ends a task from its trigger as skipped."""
    from airflow.triggers.base import TaskSkippedEvent

    return TaskSkippedEvent()


# Schedules


class Waiting(NamedTuple):
    """What Airflow waits for in a DAG: whether it is paused, and the next run that it has noted."""

    paused: bool
    next_run: datetime | None


def schedule_of_dag(dag_id: str) -> Waiting | None:
    """What Airflow's database says of a DAG; None where it has none of that name, or had one.

    A timetable is told neither its DAG's name nor whether that is paused, and it is asked in the
    scheduler and the DAG processor only, which have the database. A session of its own: the one
    of the thread is the caller's, and closing it would end the caller's transaction.
    """
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    asked = select(DagModel.is_paused, DagModel.next_dagrun_create_after).where(
        DagModel.dag_id == dag_id, DagModel.is_stale.is_(False)
    )
    with create_session(scoped=False) as session:
        found = session.execute(asked).one_or_none()
    return None if found is None else Waiting(bool(found[0]), found[1])


# The provider for Kubernetes


def load_cluster_client() -> tuple[Callable[..., Any], Any]:
    """Makes an asynchronous hook of a connection and a client configuration; and the client.

    The hook fills in the configuration that it is given, each time that get_conn() is called, and
    get_conn_extras() says the connection's namespace. Importing it takes seconds.
    """
    import importlib

    hooks = importlib.import_module("airflow.providers.cncf.kubernetes.hooks.kubernetes")
    client = importlib.import_module("kubernetes_asyncio.client")

    def hook(conn_id: str, configuration: Any) -> Any:
        return hooks.AsyncKubernetesHook(conn_id=conn_id, client_configuration=configuration)

    return hook, client


def configured_pod_operator(
    described: Mapping[str, Any], **arguments: Any
) -> tuple[Any, Callable[[], Mapping[str, Any] | None]]:
    """KubernetesPodOperator for a pod as the API describes it, and what asks how the pod ended.

    deserialize_model_dict, `remote_pod` and `client` are the operator's own affairs; there is no
    other way to see the pod after its failure. Importing it takes seconds.
    """
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

    operator = KubernetesPodOperator(
        full_pod_spec=PodGenerator.deserialize_model_dict(dict(described)),
        random_name_suffix=False,
        do_xcom_push=False,
        **arguments,
    )

    def last_seen() -> Mapping[str, Any] | None:
        if operator.remote_pod is None:
            return None
        found: Mapping[str, Any] = operator.client.api_client.sanitize_for_serialization(
            operator.remote_pod
        )
        return found

    return operator, last_seen

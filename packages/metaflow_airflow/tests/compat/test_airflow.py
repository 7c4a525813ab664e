"""What compat/airflow.py takes from Airflow is still there: a test of the name of each function."""

import asyncio
import inspect
import uuid
from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse
from metaflow_airflow.compat import airflow as compat
from metaflow_airflow.plan.step import Pod
from metaflow_airflow.pods.spec import manifest
from metaflow_airflow.wire.task import StepTask


def test_each_function_has_its_test():
    functions = {name for name in compat.__all__ if name.islower()}
    assert functions == {
        name.removeprefix("test_") for name in globals() if name.removeprefix("test_") in functions
    }


@pytest.fixture
def told(monkeypatch):
    """What the SDK asks the supervisor; `answers` has what it says, by the question's type."""
    from airflow.sdk.execution_time import task_runner

    asked = SimpleNamespace(messages=[], answers={})

    class Comms:
        def send(self, msg):
            asked.messages.append(msg)
            return asked.answers.get(type(msg).__name__)

        async def asend(self, msg):
            return self.send(msg)

    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Comms(), raising=False)
    return asked


def task_instance(map_index=None):
    """What operators and triggers get as `ti`, without a server behind it."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    return RuntimeTaskInstance.model_construct(
        id=uuid.uuid4(), dag_id="Flow", run_id="manual", task_id="work", map_index=map_index
    )


@pytest.mark.parametrize("name", [name for name in compat.__all__ if name.startswith("Airflow")])
def test_exceptions_are_those_that_a_worker_knows(name):
    from airflow.sdk import exceptions

    assert getattr(compat, name) is getattr(exceptions, name)


def test_map_index_of():
    assert compat.map_index_of(task_instance()) == -1
    assert compat.map_index_of(task_instance(5)) == 5


def test_states_of_task(told):
    from airflow.api_fastapi.execution_api.routes import task_instances
    from airflow.sdk.execution_time.comms import TaskStatesResult

    states = {"manual": {"work": "success", "work_5": "failed"}}
    told.answers["GetTaskStates"] = TaskStatesResult(task_states=states)

    assert compat.states_of_task("Flow", "manual", "work") == {-1: "success", 5: "failed"}
    source = inspect.getsource(task_instances.get_task_instance_states)
    assert 'f"{task.task_id}_{task.map_index}"' in source


def test_pull_one(told):
    from airflow.sdk.execution_time.comms import XComResult

    told.answers["GetXCom"] = XComResult(key="metaflow", value={"choice": "big"})

    assert compat.pull_one(task_instance(), "size", "metaflow", 3) == {"choice": "big"}
    [asked] = told.messages
    assert (asked.task_id, asked.map_index, asked.run_id) == ("size", 3, "manual")


def test_pull_all(told):
    from airflow.sdk.execution_time.comms import XComSequenceSliceResult

    told.answers["GetXComSequenceSlice"] = XComSequenceSliceResult(root=[{"a": 1}, {"b": 2}])

    assert compat.pull_all(task_instance(), "work", "metaflow") == [{"a": 1}, {"b": 2}]


def test_pull_in_trigger(told):
    from airflow.sdk.execution_time.comms import XComResult

    told.answers["GetXCom"] = XComResult(key="metaflow", value=1)

    assert asyncio.run(compat.pull_in_trigger(task_instance(), "work", "metaflow", [0, 2])) == [
        1,
        1,
    ]
    assert [each.map_index for each in told.messages] == [0, 2]
    assert asyncio.run(compat.pull_in_trigger(task_instance(), "work", "metaflow", [])) == []


def test_push_in_trigger(told):
    asyncio.run(compat.push_in_trigger(task_instance(5), "metaflow_life", {"try": 1}))

    [said] = told.messages
    assert type(said).__name__ == "SetXCom"
    assert (said.key, said.value, said.task_id, said.map_index) == (
        "metaflow_life", {"try": 1}, "work", 5,
    )  # fmt: skip


def test_the_key_of_what_a_task_returned():
    from airflow.sdk.bases.xcom import BaseXCom

    assert compat.RETURNED == BaseXCom.XCOM_RETURN_KEY


def serialized(limit):
    """A DAG with a mapped and a plain task that start in the triggerer, as the scheduler has it."""
    from airflow.sdk import DAG, BaseOperator
    from airflow.serialization.serialized_objects import DagSerialization

    class Operator(BaseOperator):
        def __init__(self, *, start_from_trigger, start_trigger_args, item=None, **kwargs):
            super().__init__(**kwargs)
            self.start_from_trigger = start_from_trigger
            self.start_trigger_args = start_trigger_args

    arguments = compat.start_in_triggerer("a.Trigger", {"definition": "{}"}, then="fail")
    with DAG("Flow", schedule=None, max_active_tasks=limit) as dag:
        Operator(task_id="plain", **arguments)
        Operator.partial(task_id="mapped", **arguments).expand(item=[1, 2])
    return DagSerialization.from_dict(DagSerialization.to_dict(dag))


@pytest.mark.parametrize("task_id", ["plain", "mapped"])
def test_start_in_triggerer(task_id):
    from airflow.models.dagrun import DagRun

    task = serialized(3).get_task(task_id)

    assert task.start_from_trigger is True
    assert task.start_trigger_args.trigger_cls == "a.Trigger"
    assert task.start_trigger_args.next_method == "fail"
    # In 3.1 and 3.2 this line is a comment.
    lines = inspect.getsource(DagRun.schedule_tis).splitlines()
    assert any(line.strip().startswith("elif not ti.defer_task(") for line in lines)


def test_context_in_trigger():
    ti = task_instance()
    ti.task = serialized(3).get_task("plain")

    context = compat.context_in_trigger(ti)

    assert (context["ti"], context["dag"].dag_id) == (ti, "Flow")
    assert (context["params"], dict(context["dag"].params)) == ({}, {})


def test_limit_of_run():
    from airflow.jobs import triggerer_job_runner

    assert compat.limit_of_run(SimpleNamespace(task=serialized(3).get_task("plain"))) == 3
    source = inspect.getsource(triggerer_job_runner.TriggerRunner.create_runtime_ti)
    assert "get_task(task_instance.task_id)" in source


def test_done_event():
    from airflow.triggers.base import BaseTaskEndEvent

    event = compat.done_event({"metaflow": {"choice": "big"}})
    assert isinstance(event, BaseTaskEndEvent)
    assert (event.task_instance_state, event.xcoms) == ("success", {"metaflow": {"choice": "big"}})


def test_failed_event():
    assert compat.failed_event().task_instance_state == "failed"


def test_skipped_event():
    assert compat.skipped_event().task_instance_state == "skipped"


def test_load_cluster_client():
    hook_of, client = compat.load_cluster_client()
    configuration = client.Configuration()

    hook = hook_of("nobody_asks", configuration)

    assert hook.client_configuration is configuration
    assert inspect.iscoroutinefunction(type(hook).get_conn_extras)
    assert hasattr(hook.get_conn(), "__aenter__")


def test_configured_pod_operator():
    task = StepTask(
        flow="Flow", script="flow.py", code_url="s3://code", code_sha="0", datastore="s3",
        datastore_root="s3://root", step="work", run_id="airflow-1", task_id="t-1", attempt=0,
    )  # fmt: skip
    described = manifest(
        Pod(image="steps:1"), task, name="pod", namespace="here", labels={}, annotations={},
        deadline=None,
    )  # fmt: skip
    operator, last_seen = compat.configured_pod_operator(
        described, task_id="work", name="pod", namespace="here", base_container_name="step"
    )
    assert last_seen() is None

    import kubernetes.client

    operator.remote_pod = operator.full_pod_spec
    operator.client = SimpleNamespace(api_client=kubernetes.client.ApiClient())
    found = last_seen()
    assert found is not None
    assert found["spec"]["restartPolicy"] == "Never"
    assert found["spec"]["containers"][0]["terminationMessagePath"] == "/dev/termination-log"


def test_the_route_that_waits_for_a_run():
    """Airflow calls it experimental; airflow_api/, which may not import Airflow, spells it out."""
    from airflow.api_fastapi.core_api.routes.public.dag_run import dag_run_router

    assert "/dags/{dag_id}/dagRuns/{dag_run_id}/wait" in {
        getattr(each, "path", "") for each in dag_run_router.routes
    }


def test_schedule_of_dag(tmp_path, monkeypatch):
    from airflow.models.dag import DagModel
    from sqlalchemy import create_engine
    from sqlalchemy.orm import sessionmaker

    engine = create_engine(f"sqlite:///{tmp_path}/airflow.db")
    DagModel.__table__.create(engine)
    monkeypatch.setattr("airflow.settings.NonScopedSession", sessionmaker(engine))
    due = datetime(2026, 11, 27, 6, tzinfo=UTC)
    with sessionmaker(engine)() as session:
        kept = {"bundle_name": "flows", "is_paused": True, "next_dagrun_create_after": due}
        session.add(DagModel(dag_id="Flow", is_stale=False, **kept))
        session.add(DagModel(dag_id="Gone", is_stale=True, **kept))
        session.commit()

    assert compat.schedule_of_dag("Flow") == (True, due)
    assert compat.schedule_of_dag("Gone") is None
    assert compat.schedule_of_dag("Other") is None


@pytest.mark.parametrize(
    ("answers", "ok"), [([409, 409], True), ([409] * 4, False), ([500], False)]
)
def test_push_xcom(answers, ok):
    """A conflict is the row of a request of ours that had been given up: once more replaces it."""
    left, pushed = list(answers), []

    def push(key, value):
        if left:
            detail = {"status_code": left.pop(0), "message": "Server returned error"}
            raise AirflowRuntimeError(
                ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail)
            )
        pushed.append((key, value))

    context = {"ti": SimpleNamespace(xcom_push=push)}
    with nullcontext() if ok else pytest.raises(AirflowRuntimeError):
        compat.push_xcom(context, "metaflow", {"pathspec": "1/a/2"})
    assert pushed == [("metaflow", {"pathspec": "1/a/2"})] * ok

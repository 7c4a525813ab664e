"""Triggers of steps' pods as the triggerer runs them, before an API server over real HTTP.

What the supervisor answers is given, as in Airflow's own tests; the trigger, the SDK, the
provider's hook and the client are the real ones.
"""

import asyncio
from contextlib import aclosing
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.operators.pod_trigger import PodTrigger
from metaflow_airflow.plan.step import Deployment, PlannedStep, Pod

from .real_cluster.real import until

DEFINITION = StepDefinition(
    flow="Flow",
    deployment=Deployment("flow.py", "s3://code", "0" * 40, "s3", "s3://root"),
    step=PlannedStep("start", pod=Pod(image="image:1")),
    upstream=(),
    depth=0,
    may_skip=False,
    retries=1,
    budget=3,
)


RUN = SimpleNamespace(
    logical_date=None,
    run_after=datetime(2026, 11, 27, tzinfo=timezone.utc),
    data_interval_start=None,
    data_interval_end=None,
    partition_key="event 7",
)


class Supervisor:
    """Answers what the SDK asks: one variable, the states of tasks, values left under keys."""

    def __init__(self):
        self.variables: dict[str, str] = {}
        self.xcoms: dict[str, object] = {}
        self.state = "deferred"

    def send(self, msg):
        from airflow.sdk.exceptions import ErrorType
        from airflow.sdk.execution_time import comms

        kind = type(msg).__name__
        if kind == "GetVariable":
            if msg.key in self.variables:
                return comms.VariableResult(key=msg.key, value=self.variables[msg.key])
            return comms.ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND)
        if kind == "PutVariable":
            self.variables[msg.key] = msg.value
        elif kind == "GetTaskStates":
            tasks = [each for name in msg.task_ids for each in (name, f"{name}_1")]
            states = dict.fromkeys(tasks, self.state)
            return comms.TaskStatesResult(task_states={msg.run_ids[0]: states})
        elif kind == "SetXCom":
            self.xcoms[msg.key] = msg.value
        return comms.OKResponse(ok=True)

    async def asend(self, msg):
        return self.send(msg)


def trigger(number=1, definition=DEFINITION, **instance):
    made = PodTrigger(definition.to_json(), "cluster_of_tests")
    dag = SimpleNamespace(max_active_tasks=16, params={})
    task = SimpleNamespace(dag=dag, retries=0, template_ext=(), template_fields=())
    values: dict[str, Any] = {
        "id": f"0198-{number}",
        "dag_id": "Flow",
        "run_id": "manual",
        "task_id": "start",
        "map_index": -1,
        "try_number": 1,
        "task": task,
        **instance,
    }
    ti: Any = SimpleNamespace(**values)
    made.task_instance = ti
    ti.get_template_context = lambda: {"ti": ti, "dag": dag, "dag_run": RUN, "params": {}}
    return made


async def first_event(made):
    async with aclosing(made.run()) as events:
        return await anext(events)


async def begun(server, made):
    """The task that waits for its event, and the name of its pod, whose container runs."""
    event = asyncio.create_task(first_event(made))
    await until(lambda: server.pods or event.done(), "the pod")
    if event.done():
        event.result()
    (name,) = server.pods
    server.container(name, {"running": {}}, phase="Running")
    return event, name

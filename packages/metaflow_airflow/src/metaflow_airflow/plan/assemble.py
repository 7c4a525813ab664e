"""The compiler: a flow's graph and its deployment -> the plan of its DAG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from metaflow_airflow.graph import Graph, Kind, Step
from metaflow_airflow.plan.blocks import build_blocks
from metaflow_airflow.plan.dag import (
    Block,
    EventsTask,
    HooksTask,
    OutcomeTask,
    Plan,
    Schedule,
    Sensor,
)
from metaflow_airflow.plan.exit_hooks import read_hooks
from metaflow_airflow.plan.notifications import Notifications, read_notifications
from metaflow_airflow.plan.pod import pod_of
from metaflow_airflow.plan.record import Parameter, Project
from metaflow_airflow.plan.refuse import Refusals, refuse_graph, refuse_names, refuse_pods
from metaflow_airflow.plan.schedule import read_schedule
from metaflow_airflow.plan.secrets import plain_variables, refuse_secrets
from metaflow_airflow.plan.sensors import read_sensors
from metaflow_airflow.plan.step import Deployment, ExitHooks, PlannedStep, Pod, Python, items_task
from metaflow_airflow.plan.triggers import SaidTriggers, plan_triggers, read_assets, run_event

# Metaflow's own timeout fires inside the step; Airflow's is the net below it, for code that does
# not let Python handle the alarm.
_TIMEOUT_GRACE = 60  # seconds

MAX_ITERATIONS = 1000
"""Of a step that chooses itself, unless `create` is told otherwise."""


def assemble(
    graph: Graph,
    deployment: Deployment,
    *,
    dag_id: str | None = None,
    parameters: Sequence[Parameter] = (),
    triggers: SaidTriggers | None = None,
    project: Project | None = None,
    metaflow: str = "",
    commit: str = "",
    attached: Mapping[str, Sequence[str]] | None = None,
    pythons: Mapping[str, Python] | None = None,
    pod_secrets: Sequence[str] = (),
    paused: bool | None = None,
    max_workers: int | None = None,
    pool: str | None = None,
    pods_on: str = "triggerer",
    timeout: int | None = None,
    kubernetes_conn_id: str | None = None,
    catchup: bool = False,
    max_iterations: int = MAX_ITERATIONS,
    notify_on_error: Sequence[str] = (),
    notify_on_success: Sequence[str] = (),
) -> Plan:
    """Plan the whole DAG of a flow, or refuse it.

    Args:
        deployment: its code may be missing: such a plan can be explained, not rendered.
        dag_id: the flow's name unless given.
        triggers: what the flow's decorators say of the events that start it.
        attached: specs of the decorators that the command line attached, by step.
        pythons: what each step runs with, by step; only those that differ from the deployment's
            stand in the plan.
        pod_secrets: names of Kubernetes secrets that the site gives to every pod.
        project, metaflow, commit, paused, max_workers, pool, pods_on, timeout,
            kubernetes_conn_id: see Plan.
        catchup: see Schedule.
        max_iterations: of a switch that may choose itself.
        notify_on_error, notify_on_success: notifiers besides those of the flow's decorators.

    Raises:
        BridgeError: all that Airflow cannot run, by step, decorator, reason and way out.
    """
    dag_id = dag_id or graph.flow
    refusals = Refusals()
    pods = {
        step.name: refusals.of(partial(pod_of, step, pod_secrets), None)
        for step in graph.steps.values()
    }
    collected = tuple(
        step.name
        for step in graph.steps.values()
        if step.kind is Kind.FOREACH
        and (step.depth or (pods[step.name] and pods_on == "triggerer"))
    )
    schedule = refusals.of(partial(_schedule, graph, catchup=catchup), None)
    sensors: tuple[Sensor, ...] = refusals.of(partial(read_sensors, graph), ())
    hooks = refusals.of(partial(read_hooks, graph), None)
    notifications = refusals.of(
        partial(read_notifications, graph, notify_on_error, notify_on_success), Notifications()
    )
    waits_for = refusals.of(
        partial(
            plan_triggers,
            triggers or SaidTriggers(),
            flow=graph.flow,
            project=project,
            parameters=parameters,
        ),
        None,
    )
    assets: tuple[str, ...] = refusals.of(partial(read_assets, graph), ())
    refusals.add(refuse_graph(graph))
    refusals.add(refuse_names(graph, dag_id, collected))
    refusals.add(refuse_secrets(deployment, parameters, tuple(graph.steps.values())))
    refusals.add(refuse_pods(pods, deployment))
    refusals.say()
    skippable = _skippable(graph)
    planned = {
        step.name: _plan_step(
            step,
            deployment,
            over=_list_of(step, collected),
            may_skip=step.name in skippable,
            loop=max_iterations if step.loops else None,
            attached=(attached or {}).get(step.name, ()),
            pod=pods[step.name],
            python=(pythons or {}).get(step.name),
            publishes=(run_event(graph.flow, project), *assets) if step.name == graph.end else (),
        )
        for step in graph.steps.values()
    }
    return Plan(
        dag_id=dag_id,
        flow=graph.flow,
        deployment=deployment,
        blocks=(
            *(
                [EventsTask()]
                if waits_for and pods_on == "triggerer" and any(pods.values())
                else []
            ),
            *build_blocks(graph, planned, collected),
            *_ends(graph, hooks, pods),
        ),
        parameters=tuple(parameters),
        project=project,
        metaflow=metaflow,
        commit=commit,
        sensors=sensors,
        schedule=schedule,
        triggers=waits_for,
        doc=graph.doc,
        paused=paused,
        max_workers=max_workers,
        pool=pool,
        pods_on=pods_on,
        timeout=timeout,
        kubernetes_conn_id=kubernetes_conn_id,
        notifications=notifications,
    )


def _plan_step(
    step: Step,
    deployment: Deployment,
    *,
    over: str | None,
    may_skip: bool,
    loop: int | None,
    attached: Sequence[str],
    pod: Pod | None,
    python: Python | None,
    publishes: tuple[str, ...],
) -> PlannedStep:
    retry = step.decorator("retry")
    timeout = step.decorator("timeout")
    seconds = _seconds(timeout.attributes) if timeout else None
    return PlannedStep(
        name=step.name,
        after=step.previous,
        each=step.scope[-1] if step.scope else None,
        over=over,
        depth=step.depth,
        chooses=step.next if step.kind is Kind.SWITCH else (),
        may_skip=may_skip,
        loop=loop,
        retries=step.user_retries + step.error_retries,
        user_retries=step.user_retries,
        retry_delay=60 * _whole(retry.attributes["minutes_between_retries"]) if retry else 0,
        timeout=seconds,
        # A pod has a deadline of its own: Airflow's would leave it running.
        execution_timeout=seconds * (loop or 1) + _TIMEOUT_GRACE if seconds and not pod else None,
        decorators=tuple(spec for spec in attached if spec not in deployment.decorators),
        environment=plain_variables(step),
        publishes=publishes,
        doc=step.doc,
        pod=pod,
        python=None if python == deployment.python else python,
    )


def _list_of(step: Step, collected: Sequence[str]) -> str | None:
    """The task whose list the step is mapped over."""
    if not step.scope:
        return None
    foreach = step.scope[-1]
    return items_task(foreach) if foreach in collected else foreach


def _skippable(graph: Graph) -> set[str]:
    """The steps that have a switch somewhere before them."""
    found: set[str] = set()
    for step in graph.steps.values():
        if any(graph[name].kind is Kind.SWITCH or name in found for name in step.previous):
            found.add(step.name)
    return found


def _schedule(graph: Graph, *, catchup: bool) -> Schedule | None:
    decorator = graph.decorator("schedule")
    return read_schedule(decorator.attributes, catchup=catchup) if decorator else None


def _ends(graph: Graph, hooks: ExitHooks | None, pods: Mapping[str, Pod | None]) -> Iterator[Block]:
    """The tasks after the last step."""
    if hooks:
        yield HooksTask(hooks, first=graph.start, last=graph.end, pod=pods[graph.start])
        yield OutcomeTask(graph.end)


def _seconds(attributes: Mapping[str, object]) -> int:
    return (
        _whole(attributes.get("seconds"))
        + 60 * _whole(attributes.get("minutes"))
        + 3600 * _whole(attributes.get("hours"))
    )


def _whole(amount: object) -> int:
    """A number of a decorator as Metaflow counts it: its fraction does not count."""
    return int(float(str(amount or 0)))

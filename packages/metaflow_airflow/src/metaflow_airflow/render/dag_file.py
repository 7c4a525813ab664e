"""Plan -> text. The same plan gives the same bytes, so that a diff shows what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from datetime import timedelta
from typing import Any

from metaflow_airflow import __version__
from metaflow_airflow.plan.dag import (
    Block,
    Body,
    EventsTask,
    HooksTask,
    Items,
    OutcomeTask,
    Plan,
    Sensor,
)
from metaflow_airflow.plan.notifications import Notifier
from metaflow_airflow.plan.step import PlannedStep, Pod, Python
from metaflow_airflow.render.literals import Source, call, literal

_SENSORS = {
    "ExternalTaskSensor": "airflow.providers.standard.sensors.external_task",
    "S3KeySensor": "airflow.providers.amazon.aws.sensors.s3",
}

_TAG = 100  # characters

# Fields of a step that its line in the file shows in another form, or not at all.
_SAID_OTHERWISE = frozenset(
    {"name", "after", "each", "over", "depth", "user_retries", "doc", "pod", "python"}
)


def render(plan: Plan) -> str:
    """The DAG file of a plan: imports of airflow.sdk and the bridge, the flow, its DAG."""
    names = _pod_names(plan)
    lines = [
        f'"""{plan.flow} as an Airflow DAG, exported from {plan.deployment.script}.',
        "",
        "Do not edit: change the flow and export it again.",
        '"""',
        "",
        *_imports(plan),
        "",
        *_pods(plan),
        f"flow = {_flow(plan)}",
        "",
        f"with {_dag(plan)} as dag:",
    ]
    for block in plan.blocks:
        lines += _block(block, names, sensed=bool(plan.sensors))
    waits = [f"wait_{number}" for number, _ in enumerate(plan.sensors, 1)]
    for name, sensor in zip(waits, plan.sensors, strict=True):
        lines.append(f"    {name} = {_sensor(sensor)}")
    if waits:
        lines.append(f"    [{', '.join(waits)}] >> start")
    return "\n".join(lines).rstrip().replace("\n\n\n", "\n\n") + "\n"


def _imports(plan: Plan) -> list[str]:
    modules = {_SENSORS[sensor.operator]: sensor.operator for sensor in plan.sensors}
    deltas = any(isinstance(v, timedelta) for s in plan.sensors for v in s.arguments.values())
    return [
        *(["from datetime import timedelta", ""] if plan.timeout or deltas else []),
        *(f"from {module} import {name}" for module, name in sorted(modules.items())),
        *_notifier_imports(plan),
        f"from airflow.sdk import DAG{', Asset' if plan.triggers else ''}",
        f"from metaflow_airflow.operators import {', '.join(_names(plan))}",
        *(
            ["from metaflow_airflow.operators.next_tick import NextTickTimetable"]
            if plan.schedule
            else []
        ),
        *(["from metaflow_airflow.operators.on_events import OnEvents"] if plan.triggers else []),
    ]


def _notifier_names(plan: Plan) -> dict[str, str]:
    """The notifiers' classes by their paths, as the file calls them: no name stands for two."""
    found: dict[str, str] = {}
    for notifier in (*plan.notifications.on_error, *plan.notifications.on_success):
        same = sum(path.rpartition(".")[2] == notifier.name for path in found)
        found.setdefault(notifier.path, f"{notifier.name}_{same + 1}" if same else notifier.name)
    return found


def _notifier_imports(plan: Plan) -> list[str]:
    lines = []
    for path, name in sorted(_notifier_names(plan).items()):
        module, _, own = path.rpartition(".")
        lines.append(f"from {module} import {own}" + (f" as {name}" if name != own else ""))
    return lines


def _callbacks(plan: Plan, notifiers: tuple[Notifier, ...]) -> list[Source]:
    names = _notifier_names(plan)
    return [
        Source(call(names[each.path], **each.arguments, _indent=8, _tail=1)) for each in notifiers
    ]


def _names(plan: Plan) -> list[str]:
    names = ["MetaflowFlow"]
    if any(step.pod for step in plan.steps()):
        names.append("Pod")
    if any(step.python for step in plan.steps()):
        names.append("Python")
    return names


def _pod_names(plan: Plan) -> dict[str, Pod]:
    """The pods that differ, each by the name of a constant."""
    found: list[Pod] = []
    for step in plan.steps():
        if step.pod and step.pod not in found:
            found.append(step.pod)
    return {f"POD_{number}" if number > 1 else "POD": pod for number, pod in enumerate(found, 1)}


def _pods(plan: Plan) -> list[str]:
    return [
        f"{name} = {call('Pod', **_said(pod), _tail=len(name) + 3)}"
        for name, pod in _pod_names(plan).items()
    ]


def _said(words: Any) -> dict[str, Any]:
    """The fields of a dataclass that are not what they would be unsaid."""
    return {
        field.name: value
        for field in fields(words)
        if (value := getattr(words, field.name)) != _default(field)
    }


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def _sensor(sensor: Sensor) -> str:
    # False is what Airflow's classes take anyway, except for verify.
    arguments = {
        key: value
        for key, value in sensor.arguments.items()
        if value is not False or key == "verify"
    }
    tail = len("wait_1 = ")
    return call(sensor.operator, task_id=sensor.name, **arguments, _indent=4, _tail=tail)


def _flow(plan: Plan) -> str:
    # In JSON no three quotes follow each other, and the text is raw: it ends where it ends.
    text = plan.record(__version__).to_json()
    return call(
        "MetaflowFlow.load",
        Source(f'r"""\n{text}\n"""'),
        pool=plan.pool,
        kubernetes_conn_id=plan.kubernetes_conn_id,
        pods_on=None if plan.pods_on == "triggerer" else plan.pods_on,
        _wrap=True,
    )


def _schedule(plan: Plan) -> Source:
    """When the DAG starts by itself: at times, by events, or by both."""
    ticks = None
    if plan.schedule:
        text = call(
            "NextTickTimetable",
            plan.schedule.cron,
            timezone=plan.schedule.timezone,
            dag_id=plan.dag_id,
            _indent=8 if plan.triggers else 4,
            _tail=len("schedule=,"),
        )
        ticks = Source(text)
    if not plan.triggers:
        return ticks or Source("None")
    assets = [
        f"Asset.ref(uri={literal(event.name)})" if event.is_uri else f"Asset({literal(event.name)})"
        for event in plan.triggers.events
    ]
    text = call(
        "OnEvents",
        *map(Source, assets),
        or_at=ticks,
        reset_at=plan.triggers.reset_at,
        _indent=4,
        _tail=len("schedule=,"),
    )
    return Source(text)


def _dag(plan: Plan) -> str:
    timeout = Source(f"timedelta(seconds={plan.timeout})") if plan.timeout else None
    return call(
        "DAG",
        plan.dag_id,
        schedule=_schedule(plan),
        catchup=bool(plan.schedule and plan.schedule.catchup),
        is_paused_upon_creation=plan.paused,
        max_active_tasks=plan.max_workers,
        dagrun_timeout=timeout,
        on_failure_callback=_callbacks(plan, plan.notifications.on_error),
        on_success_callback=_callbacks(plan, plan.notifications.on_success),
        default_args={"owner": plan.deployment.owner} if plan.deployment.owner else None,
        # Metaflow's tags may be longer than Airflow's; the run has them all.
        tags=sorted({"metaflow", *(tag for tag in plan.deployment.tags if len(tag) <= _TAG)}),
        params=Source("flow.params") if plan.parameters else None,
        # Airflow takes a text that ends so for the name of a file.
        doc_md=f"{plan.doc}\n" if plan.doc.endswith(".md") else plan.doc,
        _tail=len("with  as dag:"),
    )


def _block(block: Block, names: Mapping[str, Pod], *, sensed: bool) -> list[str]:
    if isinstance(block, Body):
        return _body(block, names)
    if isinstance(block, PlannedStep):
        first = "start = " if sensed and not block.after else ""
        return [f"    {first}{_step(block, names, _mapped(block), indent=4)}"]
    if isinstance(block, Items):
        return ["    " + call("flow.items", block.foreach, may_skip=block.may_skip or None)]
    if isinstance(block, EventsTask):
        return ["    flow.events()"]
    if isinstance(block, OutcomeTask):
        return ["    " + call("flow.exit_outcome", block.last)]
    return ["    " + _hooks(block, names)]


def _hooks(task: HooksTask, names: Mapping[str, Pod]) -> str:
    return call(
        "flow.exit_hooks",
        first=task.first,
        last=task.last,
        **_said(task.hooks),
        pod=_pod(task.pod, names),
        _indent=4,
    )


def _body(body: Body, names: Mapping[str, Pod]) -> list[str]:
    mapped = {key: value for key, value in _mapped(body.steps[0]).items() if key != "each"}
    return [
        "",
        f"    @{call('flow.each', body.each, **mapped, _indent=4)}",
        f"    def {body.name}():",
        *("        " + _step(step, names, {}, indent=8) for step in body.steps),
        "",
    ]


def _mapped(step: PlannedStep) -> dict[str, Any]:
    """What the file says of the items that a step runs for."""
    return {
        "each": step.each,
        "over": step.over if step.over != step.each else None,
        "depth": step.depth if step.depth > 1 else None,
    }


def _step(
    step: PlannedStep, names: Mapping[str, Pod], mapped: Mapping[str, Any], *, indent: int
) -> str:
    words = {key: value for key, value in _said(step).items() if key not in _SAID_OTHERWISE}
    return call(
        "flow.step",
        step.name,
        after=step.after[0] if len(step.after) == 1 else list(step.after),
        **mapped,
        **words,
        user_retries=step.user_retries if step.user_retries != step.retries else None,
        pod=_pod(step.pod, names),
        python=_python(step.python, indent=indent + 4),
        _indent=indent,
    )


def _pod(pod: Pod | None, names: Mapping[str, Pod]) -> Source | None:
    return next((Source(name) for name, each in names.items() if each == pod), None)


def _python(python: Python | None, *, indent: int) -> Source | None:
    if python is None:
        return None
    tail = len("python=,")
    text = call("Python", python.executable, list(python.bootstrap), _indent=indent, _tail=tail)
    return Source(text)

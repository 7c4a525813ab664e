"""A plan as text: what will run on Airflow, in which order, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from metaflow_airflow.plan.dag import Block, Body, EventsTask, HooksTask, Items, Plan, Triggers
from metaflow_airflow.plan.step import PlannedStep

_PODS = {
    "triggerer": "the triggerer follows them all (Airflow before 3.3: a worker waits for each)",
    "worker": "a worker waits for each",
}


def explain(plan: Plan) -> str:
    """What the DAG will do, a line a task; indented lines run once for each item."""
    lines = [f"{plan.dag_id}: flow {plan.flow} as an Airflow DAG"]
    lines += [f"  {line}" for line in starts(plan)]
    for parameter in plan.parameters:
        default = "required" if parameter.required else f"default {parameter.default!r}"
        lines.append(f"  parameter {parameter.name}: {' or '.join(parameter.types)}, {default}")
    lines += [f"  sensor {sensor.name}, waits by {sensor.operator}" for sensor in plan.sensors]
    if plan.has_pods:
        lines.append(f"  pods: {_PODS[plan.pods_on]}")
    switches = {step.name: step.chooses for step in plan.steps() if step.chooses}
    for block in plan.blocks:
        lines += [f"  {line}" for line in _block(block, switches)]
    return "\n".join(lines) + "\n"


def starts(plan: Plan) -> Iterator[str]:
    """What starts the DAG, a line for each time and event."""
    if plan.schedule:
        since = ", and later for each time that it missed" if plan.schedule.catchup else ""
        yield f"starts by itself at '{plan.schedule.cron}' {plan.schedule.timezone}{since}"
    if plan.triggers:
        yield from _events(plan.triggers)
    if not plan.schedule and not plan.triggers:
        yield "starts when it is triggered"


def _events(triggers: Triggers) -> Iterator[str]:
    several = len(triggers.events) > 1
    for number, event in enumerate(triggers.events):
        what = f"event {event.name} is published"
        if event.is_uri:
            what = f"asset {event.name} is updated"
        elif event.kind == "run":
            what = f"flow {event.name.removeprefix('metaflow.').removesuffix('.end')} has succeeded"
        sets = "".join(
            f", {parameter} is its field {field}" for parameter, field in event.parameters.items()
        )
        yield f"{'  and ' if number else 'starts when '}{what}{sets}"
    if several and triggers.reset_at:
        cron, timezone = triggers.reset_at
        yield f"  events that wait for others are forgotten at '{cron}' {timezone}"


def _block(block: Block, switches: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    if isinstance(block, Body):
        yield f"for each item of {block.each}, at its own pace:"
        yield from (f"  {_step(step, switches, within=True)}" for step in block.steps)
    elif isinstance(block, PlannedStep):
        yield _step(block, switches)
    elif isinstance(block, Items):
        yield f"task {block.name}, makes one list of the items of all {block.foreach} tasks"
    elif isinstance(block, EventsTask):
        yield f"task {block.name}, hands the events that started the run to the pods"
    elif isinstance(block, HooksTask):
        ends = (("succeeded", block.hooks.on_success), ("failed", block.hooks.on_error))
        calls = [f"calls {', '.join(names)} when the run {end}" for end, names in ends if names]
        yield ", ".join([f"task {block.name}, after all steps", *calls])
    else:
        yield f"task {block.name}, fails the run unless {block.last} succeeded"


def _step(
    step: PlannedStep, switches: Mapping[str, tuple[str, ...]], *, within: bool = False
) -> str:
    words = [f"step {step.name}"]
    if step.after:
        words.append(f"after {', '.join(step.after)}")
    if step.each and not within:
        words.append(f"for each item of {step.each}")
    if step.chooses:
        words.append(f"chooses one of {', '.join(step.chooses)}")
    if step.loop:
        words.append(f"at most {step.loop} times in a row")
    choosers = [name for name in step.after if step.name in switches.get(name, ())]
    if choosers:
        words.append(f"if {' or '.join(choosers)} chooses it")
    if step.retries:
        words.append(f"{step.retries} retries")
    if step.timeout:
        words.append(f"at most {step.timeout} s")
    if step.pod:
        words.append(f"in a pod of {step.pod.image}")
    if step.publishes:
        words.append(f"publishes {', '.join(step.publishes)}")
    return ", ".join(words)

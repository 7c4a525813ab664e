"""A plan as text: what will run on Airflow, in which order, and why."""

from __future__ import annotations

from collections.abc import Mapping

from metaflow_airflow.plan.dag import Body, Items, Plan
from metaflow_airflow.plan.step import PlannedStep


def explain(plan: Plan) -> str:
    """What the DAG will do, a line a task; indented lines run once for each item."""
    lines = [f"{plan.dag_id}: flow {plan.flow} as an Airflow DAG"]
    if plan.schedule:
        lines.append(f"  starts by itself at '{plan.schedule.cron}' {plan.schedule.timezone}")
    else:
        lines.append("  starts when it is triggered")
    for parameter in plan.parameters:
        default = "required" if parameter.required else f"default {parameter.default!r}"
        lines.append(f"  parameter {parameter.name}: {' or '.join(parameter.types)}, {default}")
    lines.extend(f"  waits for {sensor.name} ({sensor.operator})" for sensor in plan.sensors)
    switches = {step.name: step.chooses for step in plan.steps() if step.chooses}
    for block in plan.blocks:
        if isinstance(block, Body):
            lines.append(f"  for each item of {block.each}, at its own pace:")
            lines.extend(f"    {_line(step, switches, within=True)}" for step in block.steps)
        elif isinstance(block, Items):
            lines.append(f"  {block.name}: collects the items of all {block.foreach} tasks")
        else:
            lines.append(f"  {_line(block, switches)}")
    if plan.hooks:
        for when, names in (("succeeds", plan.hooks.on_success), ("fails", plan.hooks.on_error)):
            lines += [f"  when the run {when}: calls {name}" for name in names]
    return "\n".join(lines) + "\n"


def _line(
    step: PlannedStep, switches: Mapping[str, tuple[str, ...]], *, within: bool = False
) -> str:
    words = [f"step {step.name}"]
    if step.after:
        words.append(f"after {', '.join(step.after)}")
    if step.each and not within:
        words.append(f"for each item of {step.each}")
    if step.chooses:
        words.append(f"chooses one of {', '.join(step.chooses)}")
    choosers = [name for name in step.after if step.name in switches.get(name, ())]
    if choosers:
        words.append(f"if {' or '.join(choosers)} chooses it")
    if step.retries:
        words.append(f"{step.retries} retries")
    if step.timeout:
        words.append(f"at most {step.timeout} s")
    return ", ".join(words)

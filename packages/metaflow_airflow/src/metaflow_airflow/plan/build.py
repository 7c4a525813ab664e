"""Graph -> blocks: flattens the scopes of foreaches."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from graphlib import TopologicalSorter

from metaflow_airflow.graph import Graph, Kind, Step
from metaflow_airflow.plan.dag import Block, Body, Items
from metaflow_airflow.plan.pod import pod_of
from metaflow_airflow.plan.refuse import refuse
from metaflow_airflow.plan.secrets import plain_variables
from metaflow_airflow.plan.step import PlannedStep, Pod, Python

# Airflow takes 200 characters for the id of a task group, 250 for that of a task.
_GROUP_LENGTH = 180


def build_plan(
    graph: Graph,
    *,
    decorators: Mapping[str, tuple[str, ...]] | None = None,
    pod_secrets: Sequence[str] = (),
    pythons: Mapping[str, Python] | None = None,
) -> tuple[Block, ...]:
    """The flow's steps as blocks, each after all that it depends on.

    Args:
        decorators: specs of the decorators that the command line attached, by step.
        pod_secrets: names of Kubernetes secrets that the site gives to every pod.
        pythons: those of the steps that have another one than the start step.

    Raises:
        NotSupportedError: naming step, decorator and reason.
    """
    refuse(graph)
    planned = {
        step.name: _plan_step(
            step,
            decorators=(decorators or {}).get(step.name, ()),
            pod=pod_of(step, pod_secrets),
            python=(pythons or {}).get(step.name),
        )
        for step in graph.steps.values()
    }
    blocks: dict[str, Block] = {}
    taken = set(planned)  # names of tasks and of groups of tasks
    home: dict[str, str] = {}  # step -> key of its block
    for members in _segments(graph):
        first = graph[members[0]]
        key = members[0]
        steps = tuple(planned[name] for name in members)
        if first.scope and len(steps) > 1:
            name = _body_name(first.scope[-1], members[-1], taken)
            taken.add(name)
            blocks[key] = Body(each=first.scope[-1], steps=steps, name=name)
        else:
            blocks[key] = steps[0]
        home |= dict.fromkeys(members, key)
    for step in graph.steps.values():
        if step.kind is Kind.FOREACH and step.depth:
            items = Items(step.name)
            blocks[items.name] = items
    return tuple(blocks[key] for key in _order(graph, blocks, home))


def _plan_step(
    step: Step, *, decorators: tuple[str, ...], pod: Pod | None, python: Python | None
) -> PlannedStep:
    retry = step.decorator("retry")
    timeout = step.decorator("timeout")
    return PlannedStep(
        name=step.name,
        after=step.previous,
        each=step.scope[-1] if step.scope else None,
        chooses=step.next if step.kind is Kind.SWITCH else (),
        retries=step.user_retries + step.error_retries,
        user_retries=step.user_retries,
        retry_delay=int(float(retry.attributes["minutes_between_retries"]) * 60) if retry else 0,
        timeout=_seconds(timeout.attributes) if timeout else None,
        decorators=decorators,
        environment=plain_variables(step),
        doc=step.doc,
        pod=pod,
        python=python,
    )


def _body_name(each: str, last: str, taken: Container[str]) -> str:
    """`each_to_last`, unless something else in the DAG is called so."""
    name = f"{each}_to_{last}"[:_GROUP_LENGTH]
    while name in taken:
        name = f"{name}_items"
    return name


def _seconds(attributes: Mapping[str, object]) -> int:
    return (
        int(str(attributes.get("seconds") or 0))
        + 60 * int(str(attributes.get("minutes") or 0))
        + 3600 * int(str(attributes.get("hours") or 0))
    )


def _segments(graph: Graph) -> list[list[str]]:
    """Steps that run item by item without a barrier between them; outside a foreach, one each.

    A nested foreach raises the level of what follows its join: steps of one level never reach
    each other through another depth, so that no group of tasks depends on itself.
    """
    level: dict[str, int] = {}
    segments: list[list[str]] = []
    of: dict[str, list[str]] = {}
    for step in graph.steps.values():
        if graph.joins_foreach(step) and step.joins:
            level[step.name] = level[step.joins] + 1
        else:
            same = [level[p] for p in step.previous if graph[p].scope == step.scope]
            level[step.name] = max([0, *same])
        segment = [step.name]
        if step.scope:
            for name in step.previous:
                if graph[name].scope == step.scope and level[name] == level[step.name]:
                    neighbour = of[name]
                    if neighbour is not segment:
                        segment = neighbour + segment
                        segments = [s for s in segments if s is not neighbour]
                        of |= dict.fromkeys(segment, segment)
        segments.append(segment) if segment not in segments else None
        of |= dict.fromkeys(segment, segment)
    position = {name: index for index, name in enumerate(graph.steps)}
    return [sorted(segment, key=position.__getitem__) for segment in segments]


def _order(graph: Graph, blocks: Mapping[str, Block], home: Mapping[str, str]) -> list[str]:
    needs: dict[str, set[str]] = {key: set() for key in blocks}
    for step in graph.steps.values():
        for name in step.previous:
            items = f"{name}.items"
            source = items if items in blocks and step.scope != graph[name].scope else home[name]
            if source != home[step.name]:
                needs[home[step.name]].add(source)
        if f"{step.name}.items" in blocks:
            needs[f"{step.name}.items"].add(home[step.name])
    return list(TopologicalSorter(needs).static_order())

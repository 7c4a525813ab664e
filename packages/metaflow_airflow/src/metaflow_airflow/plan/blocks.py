"""Planned steps -> blocks: flattens the scopes of foreaches."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from graphlib import TopologicalSorter

from metaflow_airflow.graph import Graph
from metaflow_airflow.plan.dag import Block, Body, Items
from metaflow_airflow.plan.step import PlannedStep, items_task

# Airflow takes 200 characters for the id of a task group, 250 for that of a task.
_GROUP_LENGTH = 180


def build_blocks(
    graph: Graph, planned: Mapping[str, PlannedStep], collected: Sequence[str]
) -> tuple[Block, ...]:
    """The flow's steps as blocks, each after all that it depends on.

    Args:
        collected: the foreach steps whose items a task of its own collects.
    """
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
    for foreach in collected:
        items = Items(foreach, may_skip=planned[foreach].may_skip)
        blocks[items.name] = items
    return tuple(blocks[key] for key in _order(graph, blocks, home))


def _body_name(each: str, last: str, taken: Container[str]) -> str:
    """`each_to_last`, unless something else in the DAG is called so."""
    name = f"{each}_to_{last}"[:_GROUP_LENGTH]
    while name in taken:
        name = f"{name}_items"
    return name


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
            items = items_task(name)
            source = items if items in blocks and step.scope != graph[name].scope else home[name]
            if source != home[step.name]:
                needs[home[step.name]].add(source)
        if items_task(step.name) in blocks:
            needs[items_task(step.name)].add(home[step.name])
    return list(TopologicalSorter(needs).static_order())

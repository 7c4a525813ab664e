"""The edge to Metaflow: reads its parsed graph into ours, without importing it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from metaflow_airflow.compat.metaflow_export import (
    first_and_last,
    own_flow_decorators,
    parsed_graph,
)
from metaflow_airflow.errors import BridgeError, NotSupportedError
from metaflow_airflow.graph.flow_graph import Decorator, Graph, Kind, Step

_KINDS = {
    "split": Kind.SPLIT,
    "foreach": Kind.FOREACH,
    "split-switch": Kind.SWITCH,
    "end": Kind.END,
}


def read_graph(flow: Any) -> Graph:
    """Read the graph of a Metaflow flow object.

    Args:
        flow: a `metaflow.FlowSpec` instance whose decorators are initialised.

    Raises:
        NotSupportedError: for a flow that goes back to an earlier step, unless it is a switch that
            chooses itself.
        BridgeError: for a decorator that does not say how many retries it wants.
    """
    source = parsed_graph(flow)
    first, last = first_and_last(source)
    order = _topological(source, first)
    previous: dict[str, list[str]] = {name: [] for name in order}
    for name in order:
        for following in dict.fromkeys(source[name].out_funcs):
            if following != name:
                previous[following].append(name)
    steps = {}
    for name in order:
        node = source[name]
        user_retries, error_retries = _retries(node)
        open_splits = list(node.split_parents)
        joins = open_splits.pop() if node.type == "join" and open_splits else None
        steps[name] = Step(
            name=name,
            kind=_KINDS.get(node.type, Kind.LINEAR),
            next=tuple(dict.fromkeys(node.out_funcs)),
            # Metaflow hands a join its inputs in the order of the steps' names.
            previous=tuple(sorted(previous[name])),
            scope=tuple(p for p in open_splits if source[p].type == "foreach"),
            joins=joins,
            parallel=bool(node.parallel_foreach or node.parallel_step),
            user_retries=user_retries,
            error_retries=error_retries,
            decorators=_step_decorators(node),
            doc=(node.doc or "").strip(),
            line=node.func_lineno,
        )
    return Graph(
        flow=source.name,
        start=first,
        end=last,
        steps=steps,
        doc=(source.doc or "").strip(),
        decorators=tuple(_flow_decorators(own_flow_decorators(flow))),
        module=type(flow).__module__,
    )


def _retries(node: Any) -> tuple[int, int]:
    """The most that a decorator wants of the user's code and of the fallback; one may forbid it."""
    most = (0, 0)
    for deco in node.decorators:
        counts = deco.step_task_retry_count()
        if not isinstance(counts, tuple) or len(counts) != 2:
            raise BridgeError(
                f"@{deco.name} on step *{node.name}* (line {node.func_lineno}) answers {counts!r} "
                "for its numbers of retries (step_task_retry_count): it must be two numbers."
            )
        if counts == (None, None):
            return 0, 0  # Metaflow's word for "no retries, whatever the others want"
        most = (max(most[0], counts[0] or 0), max(most[1], counts[1] or 0))
    return most


def _step_decorators(node: Any) -> tuple[Decorator, ...]:
    return tuple(
        Decorator(deco.name, dict(deco.attributes), attached=not deco.statically_defined)
        for deco in node.decorators
        if not deco.name.startswith("_")
    )


def _flow_decorators(decorators: Mapping[str, Iterable[Any]]) -> Iterable[Decorator]:
    for name, instances in decorators.items():
        for deco in instances:
            yield Decorator(name, dict(deco.attributes))


def _topological(source: Any, first: str) -> list[str]:
    """The steps' names, each after all that lead to it; a cycle is refused by naming it."""
    order: list[str] = []
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            circle = " -> ".join([*path[path.index(name) :], name])
            raise NotSupportedError(
                f"Step *{path[-1]}* goes back to step *{name}* ({circle}), which is not supported: "
                "only a step that chooses itself by a condition may. Put the rounds into one such "
                "step."
            )
        if name in done:
            return
        node = source[name]
        for following in reversed(node.out_funcs):
            if not (following == name and _KINDS.get(node.type) is Kind.SWITCH):
                visit(following, [*path, name])
        done.add(name)
        order.append(name)

    visit(first, [])
    return order[::-1]

"""What starts a flow, seen among all that Airflow has: circles of DAGs, events from nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from metaflow_airflow.errors import NotSupportedError
from metaflow_airflow.plan.dag import Plan


def refuse_circle(plan: Plan, assets: Iterable[Mapping[str, Any]]) -> None:
    """Refuse a flow whose end would, by others or by itself, start it again.

    Args:
        assets: as Airflow's API lists them, with who publishes and who waits for each.

    Raises:
        NotSupportedError: with the circle.
    """
    if plan.triggers is None:
        return
    waits = {event.name for event in plan.triggers.events}
    publishes = [asset for step in plan.steps() for asset in step.publishes]
    circle = _find(plan.dag_id, publishes, waits, list(assets))
    if circle:
        raise NotSupportedError(
            f"Flow *{plan.flow}* would start itself without an end: {' -> '.join(circle)}. Take "
            "one of these triggers away."
        )


def notes(plan: Plan, assets: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What is worth saying of the events that nothing in Airflow publishes."""
    if plan.triggers is None:
        return
    published = {
        name
        for asset in assets
        if any(task["dag_id"] != plan.dag_id for task in asset["producing_tasks"])
        for name in (asset["name"], asset["uri"])
    }
    for event in plan.triggers.events:
        if event.name in published:
            continue
        if event.kind == "run":
            flow = event.name.removeprefix("metaflow.").removesuffix(".end")
            yield f"Flow *{flow}* is not deployed on this Airflow: nothing starts before it is."
        elif event.is_uri:
            yield f"No DAG here publishes asset *{event.name}*: nothing starts before one does."
        else:
            yield (
                f"No DAG here publishes event *{event.name}*: it comes from ArgoEvent, from "
                "python -m metaflow_airflow.events, or from a task's outlet."
            )


def _find(
    dag_id: str, publishes: Sequence[str], waits: set[str], assets: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The way from a DAG's own assets back to one that it waits for; empty if there is none."""
    ways = [[dag_id, asset] for asset in publishes]
    seen = {dag_id}
    while ways:
        way = ways.pop(0)
        if way[-1] in waits:
            return [*way, dag_id]
        for asset in assets:
            if way[-1] not in (asset["name"], asset["uri"]):
                continue
            for waiting in asset["scheduled_dags"]:
                if (other := waiting["dag_id"]) not in seen:
                    seen.add(other)
                    ways += [
                        [*way, other, name]
                        for made in assets
                        if any(task["dag_id"] == other for task in made["producing_tasks"])
                        for name in dict.fromkeys((made["name"], made["uri"]))
                    ]
    return []

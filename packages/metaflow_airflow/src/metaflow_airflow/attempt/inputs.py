"""Which Metaflow tasks a step takes as input: pure, from what those before it said.

Every step task leaves one XCom (key `metaflow`), a `Reference`. An item of a foreach is a path of
indexes; a task at depth 2 with path (2, 5) is the sixth item of the third item.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

XCOM_KEY = "metaflow"
DATASETS_KEY = "metaflow_datasets"
"""Of the XCom of a step that has named datasets: {"read": [URI, …], "wrote": […]}."""
_LABEL = 100  # characters


@dataclass(frozen=True)
class Upstream:
    """A step whose outcome another one takes, and the depth of its tasks."""

    step: str
    depth: int
    switch: bool = False


@dataclass(frozen=True)
class Reference:
    """What a finished step task tells those after it.

    Args:
        pathspec: run/step/task in Metaflow.
        path: indexes of its item, outermost first.
        map_index: of its Airflow task instance.
        cardinality: how many items a foreach step made. choice: the step that a switch picked.
        code: the code package that it ran, as {url, sha, metadata}.
        copied: for a copy (resume), Unix time at which the original had begun.
        label: what the UI shows of its own item. values: of the items that it made, shortened.
        assets: what the events of the flow's own assets carry, by their URIs.
    """

    pathspec: str
    path: tuple[int, ...] = ()
    map_index: int = -1
    cardinality: int | None = None
    choice: str | None = None
    code: Mapping[str, str] | None = None
    copied: float | None = None
    label: str | None = None
    values: tuple[str, ...] = ()
    assets: Mapping[str, Mapping[str, Any]] | None = None

    def to_xcom(self) -> dict[str, Any]:
        """As JSON."""
        return {key: value for key, value in asdict(self).items() if value not in (None, ())}

    @classmethod
    def from_xcom(cls, value: Mapping[str, Any] | str) -> Reference:
        """From JSON (what a trigger returned comes back as text)."""
        said = json.loads(value) if isinstance(value, str) else value
        lists = {name: tuple(said.get(name, ())) for name in ("path", "values")}
        return cls(**{**said, **lists})


def taken(
    step: str, path: Sequence[int], sources: Iterable[tuple[Upstream, Iterable[Reference]]]
) -> list[Reference]:
    """The references that step takes for its item, in Metaflow's order; empty: not chosen.

    A source at the step's own depth or above counts with the task of the same item, a deeper one
    (the step joins its items) with all tasks below it; a switch only where it picked the step.
    """
    found: list[Reference] = []
    depth = len(path)
    for upstream, references in sources:
        shared = min(depth, upstream.depth)
        matching = [
            reference
            for reference in references
            if reference.path[:shared] == tuple(path[:shared])
            and (not upstream.switch or reference.choice == step)
        ]
        found += sorted(matching, key=lambda reference: reference.path)
    if any(upstream.depth > depth for upstream, _ in sources):
        # The items of a foreach join stand in item order, whichever branch each of them took.
        found.sort(key=lambda reference: reference.path)
    return found


def count_items(references: Iterable[Reference]) -> int:
    """How many items all tasks of a foreach step made."""
    return sum(reference.cardinality or 0 for reference in references)


def flatten(references: Iterable[Reference]) -> list[dict[str, Any]]:
    """The items of all tasks of a foreach step, as one list to map over."""
    return [
        item(reference, index)
        for reference in sorted(references, key=lambda reference: reference.path)
        for index in range(reference.cardinality or 0)
    ]


def item(reference: Reference, index: int) -> dict[str, Any]:
    """One item: its path, the map index of the foreach task that made it, what the UI shows."""
    return {
        "path": [*reference.path, index],
        "parent": reference.map_index,
        "label": label(reference, index),
    }


def label(reference: Reference, index: int) -> str:
    """The item's value, behind that of the item which it lies in; its index where that is unknown.

    Metaflow has cut each value to 30 characters; Airflow's column holds 250.
    """
    around = reference.label or "/".join(str(part) for part in reference.path)
    if index >= len(reference.values):
        return "/".join(filter(None, [around, str(index)]))
    own = " ".join(reference.values[index].split())
    whole = f"{around}/{own}" if around else f"item={own}"
    return whole if len(whole) <= _LABEL else f"…{whole[1 - _LABEL :]}"

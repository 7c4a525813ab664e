"""The flow's graph as frozen data.

A *scope* is the chain of foreach steps that are open around a step, outermost first: a step runs
once for every combination of their items.

    start -> split(foreach) -> train -> score -> pick(join) -> end
    scope:   ()       ()       (split,)  (split,)   ()          ()
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Kind(str, Enum):
    """What follows a step."""

    LINEAR = "linear"
    SPLIT = "split"
    FOREACH = "foreach"
    SWITCH = "switch"
    END = "end"


@dataclass(frozen=True)
class Decorator:
    """One decorator of a step or a flow with its attributes as plain values.

    `attached`: by the command line (`--with`), so that the flow's file does not show it.
    """

    name: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    attached: bool = False


@dataclass(frozen=True)
class Step:
    """One step. A switch whose `next` has its own name loops; `previous` leaves that edge out.

    `joins` names the split or foreach step that this step joins, `scope` the foreach steps open
    around it. `user_retries` count attempts of the user's code, `error_retries` those that only
    @catch's fallback gets. `line` is where its function stands in the flow's file.
    """

    name: str
    kind: Kind
    next: tuple[str, ...] = ()
    previous: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    joins: str | None = None
    parallel: bool = False
    user_retries: int = 0
    error_retries: int = 0
    decorators: tuple[Decorator, ...] = ()
    doc: str = ""
    line: int = 0

    @property
    def depth(self) -> int:
        """How many foreaches are open around the step."""
        return len(self.scope)

    @property
    def loops(self) -> bool:
        """Whether the step, a switch, may choose itself."""
        return self.name in self.next

    def decorator(self, name: str) -> Decorator | None:
        """The step's first decorator of that name."""
        return next((d for d in self.decorators if d.name == name), None)


@dataclass(frozen=True)
class Graph:
    """A flow: its steps in an order in which each one stands after all that lead to it.

    `module` is that of the flow's file: "__main__" where it runs.
    """

    flow: str
    start: str
    end: str
    steps: Mapping[str, Step]
    doc: str = ""
    decorators: tuple[Decorator, ...] = ()
    module: str = "__main__"

    def __getitem__(self, name: str) -> Step:
        return self.steps[name]

    def decorator(self, name: str) -> Decorator | None:
        """The flow's first decorator of that name."""
        return next((d for d in self.decorators if d.name == name), None)

    def joins_foreach(self, step: Step) -> bool:
        """Whether the step joins the items of a foreach (and not the branches of a split)."""
        return step.joins is not None and self[step.joins].kind is Kind.FOREACH

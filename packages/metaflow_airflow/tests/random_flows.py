"""Random valid flows: nested branches, foreaches and switches, as the source of a flow file.

Every task of such a flow leaves a `value` that depends on all that it took as input, so that two
runs agree in their artifacts only when every task got the same inputs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .random_features import IMPORTS, LEFT, SEE, Choose, Features

_HEAD = """
import zlib

from metaflow import FlowSpec, current, step
{imports}

class {name}(FlowSpec):
    differing = {differing}
{parameters}
    def see(self, *values):
{see}        self.seen = (current.step_name, self.index, self.input, self.foreach_stack())
        self.came = values
        self.value = zlib.crc32(repr((self.seen, values)).encode())
"""
_TAIL = """

if __name__ == "__main__":
    {name}()
"""
_STEP = "        self.see(getattr(self, 'value', None))\n"
# The inputs of a static join come as their steps finish: what counts is which they are.
_JOIN = """        self.see(*sorted((i.seen[0], i.value) for i in inputs))
        self.merge_artifacts(inputs, exclude=self.differing)
"""
_FOREACH_JOIN = """        self.see(*((i.seen[0], i.value) for i in inputs))
        self.merge_artifacts(inputs, exclude=self.differing)
"""


@dataclass
class RandomFlow:
    """A flow's source, and what the generator knows of its steps.

    Args:
        depths: how many foreaches are open around each step. edges: step -> steps after it.
        tasks: how many tasks a run has at most. arguments: what a run is given.
        options: what stands on the command line before the verb.
        refused: whether a trigger refuses the arguments.
    """

    name: str
    source: str = ""
    depths: dict[str, int] = field(default_factory=dict)
    edges: dict[str, list[str]] = field(default_factory=dict)
    tasks: int = 0
    arguments: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    refused: bool = False


def random_flow(
    name: str, choose: Choose, *, most_steps: int = 12, featured: bool = False
) -> RandomFlow:
    """Make up a flow of about so many steps.

    Args:
        choose: an integer between two, both included: of a random number generator, or Hypothesis.
        featured: whether it has decorators and parameters too, and a step that may go wrong.
    """
    return _Writer(name, choose, most_steps, Features(choose) if featured else None).flow


class _Writer:
    def __init__(
        self, name: str, choose: Choose, most_steps: int, features: Features | None
    ) -> None:
        self.flow = RandomFlow(name)
        self._features = features
        self._choose = choose
        self._left = most_steps
        self._count = 0
        self._steps: list[str] = []
        self._joins: set[str] = set()
        self._differing = ["value", "seen", "came", "way"]
        self._write("end", 0, 1, _STEP, [])
        entry = self._sequence("end", 0, 1, 0)
        self._write("start", 0, 1, _STEP, [entry], f"self.{entry}")
        head = {"imports": "", "parameters": "", "see": ""}
        if features:
            self._differing += [*LEFT, "caught"]
            self.flow.arguments, self.flow.options = features.arguments, features.options
            self.flow.refused = features.refused
            head = {"imports": IMPORTS, "parameters": features.parameters, "see": SEE}
        self.flow.source = (
            _HEAD.format(name=name, differing=self._differing, **head)
            + "".join(reversed(self._steps))
            + _TAIL.format(name=name)
        )

    def _new(self) -> str:
        # Names in no order of the graph: Metaflow hands a join its inputs by name.
        self._count += 1
        self._left -= 1
        return f"{'qhzbmtd'[self._choose(0, 6)]}{self._count}"

    def _sequence(self, after: str, depth: int, tasks: int, level: int) -> str:
        """Pieces one after the other, the last one first; the name of the first step."""
        for _ in range(self._choose(1, 2)):
            after = self._piece(after, depth, tasks, level)
        return after

    def _piece(self, after: str, depth: int, tasks: int, level: int) -> str:
        kind = self._choose(0, 3) if self._left > 3 and level < 3 and tasks < 9 else 0
        make = (self._step, self._split, self._foreach, self._switch)[kind]
        return make(after, depth, tasks, level)

    def _step(self, after: str, depth: int, tasks: int, level: int) -> str:
        name = self._new()
        return self._write(name, depth, tasks, _STEP, [after], f"self.{after}")

    def _split(self, after: str, depth: int, tasks: int, level: int) -> str:
        name, join = self._new(), self._new()
        self._write_join(join, _JOIN, after, depth, tasks)
        branches = [
            self._sequence(join, depth, tasks, level + 1) for _ in range(self._choose(2, 3))
        ]
        arguments = ", ".join(f"self.{branch}" for branch in branches)
        return self._write(name, depth, tasks, _STEP, branches, arguments)

    def _foreach(self, after: str, depth: int, tasks: int, level: int) -> str:
        name, join = self._new(), self._new()
        most = self._choose(1, 3)
        # Either the same number in each task of the step, or one that differs from item to item;
        # never none, which Metaflow refuses.
        size = f"1 + self.value % {most}" if self._choose(0, 1) else str(most)
        self._write_join(join, _FOREACH_JOIN, after, depth, tasks)
        body = self._sequence(join, depth + 1, tasks * most, level + 1)
        # A variable of its own: Metaflow reads an outer item from what the name holds now.
        items = f"items_{name}"
        self._differing.append(items)
        values = f"[f'{name}-{{i}}' for i in range({size})]"
        if self._features:
            values = self._features.iterable(name, size)
        code = f"{_STEP}        self.{items} = {values}\n"
        return self._write(name, depth, tasks, code, [body], f"self.{body}, foreach='{items}'")

    def _switch(self, after: str, depth: int, tasks: int, level: int) -> str:
        if after in self._joins:  # Metaflow wants a step between a switch's ways and a join
            after = self._step(after, depth, tasks, level)
        name = self._new()
        ways = [self._sequence(after, depth, tasks, level + 1) for _ in range(self._choose(1, 2))]
        if len(ways) == 1 or self._choose(0, 1):
            ways.append(after)  # one way leads straight on
        code = f"{_STEP}        self.way = str(self.value % {len(ways)})\n"
        cases = ", ".join(f"'{number}': self.{way}" for number, way in enumerate(ways))
        return self._write(name, depth, tasks, code, ways, f"{{{cases}}}, condition='way'")

    def _write_join(self, name: str, code: str, after: str, depth: int, tasks: int) -> None:
        self._joins.add(name)
        self._write(name, depth, tasks, code, [after], f"self.{after}", "self, inputs")

    def _write(
        self,
        name: str,
        depth: int,
        tasks: int,
        code: str,
        after: list[str],
        arguments: str = "",
        signature: str = "self",
    ) -> str:
        following = f"        self.next({arguments})\n" if after else ""
        decorators = trouble = ""
        if self._features:
            splits = "foreach=" in arguments or "condition=" in arguments
            decorators, trouble = self._features.dress(splits=splits)
        lines = f"{code}{trouble}{following}"
        self._steps.append(f"\n{decorators}    @step\n    def {name}({signature}):\n{lines}")
        self.flow.depths[name] = depth
        self.flow.edges[name] = after
        self.flow.tasks += tasks
        return name

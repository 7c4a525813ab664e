"""What random flows are decorated with and given, and how one of their steps goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

Choose = Callable[[int, int], int]

# What a step leaves beside its value: each of these is another one from task to task.
LEFT = ("room", "tried")
SEE = """        self.room = [os.environ.get(name) for name in ('ROOM', 'WITH')]
        self.tried = current.retry_count
"""
IMPORTS = """
import os
import signal
import sys
import time

from metaflow import (
    JSONType, Parameter, catch, environment, resources, retry, timeout
)
from metaflow.exception import MetaflowException
"""

_DECORATORS = (
    "@retry(times=1, minutes_between_retries=0)",
    "@retry(times=3, minutes_between_retries=0)",
    "@timeout(minutes=20)",
    "@environment(vars={'ROOM': \"{'a b': \\\"c\\\"} $HOME\"})",
    "@resources(cpu=1, memory=500)",
)
_CATCH = "@catch(var='caught', print_exception=False)"
_WITH = (
    "--with=retry:times=1,minutes_between_retries=0",
    "--with=resources:memory=600",
    '--with=environment:vars={"WITH": "b c, d=e"}',
    "--with=timeout:hours=1",
)
# As Parameter takes it, and what may be given on the command line.
_PARAMETERS = (
    ("default='a b'", ("", "x=1 {{ run_id }} 'q' \"d\" \\n ü 年", " null ", "1e5")),
    ("type=str", ("given",)),  # without a value it is None
    ("type=int, default=7", ("-3", str(2**62), "0")),
    ("type=float, default=0.5", ("1e22", "-0.0", "inf", "nan", "3")),
    ("type=bool, default=True", ("False", "true")),
    ("type=JSONType, default='{\"a\": [1, null, 1.0]}'", ("null", '"text"', "[1, [2.0]]", "7")),
    ("default='a,b', separator=','", ("c,,d", "c")),
    ("default=lambda context: f'of {context.parameter_name}'", ("of the command line",)),
    ("type=int, default=lambda context: 5", ("6",)),
)
# Numbers that Airflow's database would change: a trigger refuses them.
_REFUSED = ("1e22", "-0.0", "inf", "nan")
_TROUBLES = (
    "raise ValueError('trouble')",
    "raise MetaflowException('trouble')",
    "raise KeyboardInterrupt",
    "sys.exit(0)",
    "sys.exit(3)",
    "sys.exit('trouble')",
    "os._exit(0)",
    "os._exit(4)",
    "os.kill(os.getpid(), signal.SIGKILL)",
    "return",
    "self.kept = lambda: 0  # cannot be pickled",
    "time.sleep(600)",
)
_WHEN = ("True", "self.value % 2", "not current.retry_count", "self.index in (None, 1)")
# By a number of items and a text; never a set, whose order differs between processes.
_ITERABLES = (
    "[f'{text}-{{i}}' for i in range({size})]",
    "tuple(range({size}))",
    "range({size})",
    "'abc'[:{size}]",
    "b'abc'[:{size}]",
    "{{i: '{text}' for i in range({size})}}",
    "[None, {{'a': 1}}, 0.1][:{size}]",
)


@dataclass
class Features:
    """Draws what a flow has beside its shape.

    Args:
        parameters: source of the flow's parameters. arguments: what a run is given.
        options: what stands before the verb. trouble: how a step goes wrong, if one does.
        refused: whether one of the arguments cannot be sent to Airflow.
    """

    choose: Choose
    parameters: str = ""
    arguments: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    trouble: str = ""
    refused: bool = False

    def __post_init__(self) -> None:
        """Draw what the flow as a whole has."""
        for number in range(self.choose(0, 4)):
            name = f"option_{number}"
            definition, given = _PARAMETERS[self.choose(0, len(_PARAMETERS) - 1)]
            self.parameters += f"    {name} = Parameter('{name}', {definition})\n"
            if self.choose(0, 2):
                value = given[self.choose(0, len(given) - 1)]
                self.arguments.append(f"--{name}={value}")
                self.refused |= value in _REFUSED
        if self.choose(0, 1):
            self.options.append(_WITH[self.choose(0, len(_WITH) - 1)])

    def iterable(self, text: str, size: str) -> str:
        """What a foreach goes over."""
        kind = _ITERABLES[self.choose(0, len(_ITERABLES) - 1)]
        return kind.format(text=text, size=size)

    def dress(self, *, splits: bool) -> tuple[str, str]:
        """The decorators of a step, and the lines of the one step that goes wrong.

        Args:
            splits: whether its way on is chosen at run time: @catch cannot choose one.
        """
        names = [text for text in _DECORATORS if not self.choose(0, 5)]
        if not splits and not self.choose(0, 4):
            names.append(_CATCH)
        # One of a kind, as Metaflow wants it.
        kinds = {text.split("(")[0]: text for text in names}
        lines = ""
        if not self.trouble and not self.choose(0, 2):
            self.trouble = _TROUBLES[self.choose(0, len(_TROUBLES) - 1)]
            when = _WHEN[self.choose(0, len(_WHEN) - 1)]
            lines = f"        if {when}:\n            {self.trouble}\n"
            if self.trouble.startswith("time."):
                kinds["@timeout"] = "@timeout(seconds=3)"
        return "".join(f"    {text}\n" for text in kinds.values()), lines

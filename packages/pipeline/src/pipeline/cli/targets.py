"""Which target the command line means."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

from embedded.flows_env import workspace
from embedded.state import State
from rich.console import Console

from pipeline.targets.base import Report, Target
from pipeline.targets.compose import ComposeTarget
from pipeline.targets.embedded import EmbeddedTarget
from pipeline.targets.own import OwnTarget


def _embedded(options: argparse.Namespace, report: Report) -> Target:
    return EmbeddedTarget(_state(options), report, dict(getattr(options, "port", ())))


def _compose(options: argparse.Namespace, report: Report) -> Target:
    return ComposeTarget(_state(options), report)


def _own(options: argparse.Namespace, report: Report) -> Target:
    return OwnTarget(_state(options), report)


TARGETS: dict[str, Callable[[argparse.Namespace, Report], Target]] = {
    EmbeddedTarget.name: _embedded,
    ComposeTarget.name: _compose,
    OwnTarget.name: _own,
}


def target(options: argparse.Namespace, console: Console, began: float | None = None) -> Target:
    """Return the target of --target; what happens is printed with the seconds since `began`."""
    return TARGETS[options.target](options, _report(console, began))


def embedded(options: argparse.Namespace, console: Console) -> EmbeddedTarget:
    """Return the stack of processes, for the commands that know no other target."""
    ports = dict(getattr(options, "port", ()))
    return EmbeddedTarget(_state(options), _report(console, None), ports)


def own_command(target: Target) -> str:
    """Return what to type for `stack` here, with the state directory where it is not the usual."""
    uv = os.environ.get("UV")
    if uv and Path(uv).is_relative_to(Path.cwd()):
        uv = str(Path(uv).relative_to(Path.cwd()))
    start = f"{uv} run stack" if uv else "stack"
    default = target.state.root == workspace() / ".embedded"
    return start if default else f"STACK_STATE={target.state.root} {start}"


def _state(options: argparse.Namespace) -> State:
    given = options.state or os.environ.get("STACK_STATE")
    return State.at(Path(given) if given else workspace() / ".embedded")


def _report(console: Console, began: float | None) -> Report:
    begin = time.monotonic() if began is None else began

    def report(name: str, text: str) -> None:
        console.print(f"{time.monotonic() - begin:7.1f} s  {name:16}{text}", markup=False)

    return report

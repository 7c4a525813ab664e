"""The launcher: one process that prepares a step, forks it, and stays to keep its logs.

launcher ── guard                     lives as long as the launcher, ends the step if that dies
   │  lock, code package, import metaflow
   ├── init                           once a run, before its start step
   └── step ── what it starts         one process group, killed as a whole at the end
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ...wire.exit_codes import MISCONFIGURED
from ...wire.handshake import GRACE
from ...wire.payload import unpack
from ...wire.task import StepTask, TaskFormatError
from .child_program import ChildProgram

VARIABLE_PREFIX = "env:"


def main(arguments: Sequence[str]) -> int:
    """Run a step; returns its exit code. In a forked child, runs the child's program instead."""
    options = _parse(arguments)
    try:
        task = StepTask.from_json(_read(options.task))
    except (OSError, TaskFormatError) as error:
        sys.stderr.write(f"[metaflow-airflow] {error}\n")
        return MISCONFIGURED
    from .lifecycle import Launch

    outcome = Launch(
        task,
        result=Path(options.result) if options.result else None,
        lifeline=options.lifeline,
        grace=options.grace,
        lock_wait=options.lock_wait,
    ).run()
    if isinstance(outcome, ChildProgram):
        return outcome.run()
    # Threads of an upload that hangs must not keep the launcher.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(outcome)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="metaflow_airflow.runtime",
        description="Runs one attempt of one step of a Metaflow flow and keeps its logs.",
    )
    parser.add_argument(
        "--task",
        default="-",
        metavar="FILE",
        help="the step task as JSON; - is standard input, env:NAME a variable that packs it",
    )
    parser.add_argument("--result", metavar="FILE", help="where the result goes, as JSON")
    parser.add_argument(
        "--lifeline",
        type=int,
        metavar="FD",
        help="read end of a pipe: when its other end is closed, the step ends",
    )
    parser.add_argument(
        "--grace",
        type=float,
        default=GRACE,
        metavar="SECONDS",
        help="between asking the step to end and killing it (default: %(default)g)",
    )
    parser.add_argument(
        "--lock-wait",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="for another launcher of the same task to end (default: %(default)g)",
    )
    return parser.parse_args(arguments)


def _read(name: str) -> str:
    if name == "-":
        return sys.stdin.read()
    if name.startswith(VARIABLE_PREFIX):
        # Out of the environment: the step has no use for it, and it is long.
        return unpack(os.environ.pop(name.removeprefix(VARIABLE_PREFIX), ""))
    return Path(name).read_text(encoding="utf-8")

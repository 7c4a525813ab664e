"""`stack`: the platform as processes on this machine, and its pipeline there or in containers."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from embedded import logs
from embedded import pipeline as work
from embedded.arguments import count, month, port
from embedded.compose import ComposeTarget
from embedded.errors import StackError
from embedded.export import FLOWS
from embedded.flows_env import workspace
from embedded.pipeline import Outcome
from embedded.stack import Stack
from embedded.state import State
from embedded.tables import outcome_tables, status_table

_INTERRUPTED = 130
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # all as Ctrl-C: stop what was started
_COMPOSE = "compose"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 when it did what it was asked."""
    options = _parser().parse_args(arguments)
    for number in _ENDS:
        signal.signal(number, _interrupt)
    console = Console(highlight=False, soft_wrap=True)
    try:
        return int(options.command(options, console))
    except StackError as error:
        console.print("[bold red]error:[/] ", end="")
        console.print(str(error), markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted")
        return _INTERRUPTED


def up(options: argparse.Namespace, console: Console) -> int:
    """Bring the stack up."""
    stack = _stack(options, console)
    if stack.up(dict(options.port)):
        _show_addresses(stack, console)
    else:
        console.print(f"the stack in {stack.state.root} is up already: nothing to do")
        _show_addresses(stack, console)
    return 0


def down(options: argparse.Namespace, console: Console) -> int:
    """Stop everything; what was kept on disk stays."""
    stack = _stack(options, console)
    console.print("stopped" if stack.down() else f"no stack runs in {stack.state.root}")
    return 0


def status(options: argparse.Namespace, console: Console) -> int:
    """Show servers, health, addresses and login; 0 only when all are ready."""
    stack = _stack(options, console)
    found = stack.status()
    states = {info["state"] for info in found["servers"].values()}
    ready = found["phase"] == "ready" and states == {"ready"}
    if options.json:
        if stack.state.exists:
            username, password = stack.airflow_login
            found["airflow"] = {"url": stack.airflow_url, "username": username,
                                "password": password}  # fmt: skip
        print(json.dumps(found, indent=2))
        return 0 if ready else 1
    console.print(status_table(found))
    for name, info in found["servers"].items():
        if info.get("report"):
            console.print(f"{name}: {info['report']}", markup=False)
    if ready:
        _show_addresses(stack, console)
    return 0 if ready else 1


def show_logs(options: argparse.Namespace, console: Console) -> int:
    """Print the logs, each line under its server's name."""
    stack = _stack(options, console)
    logs.show(stack.state.folder("logs"), options.server, follow=options.follow)
    return 0


def execute(options: argparse.Namespace, console: Console) -> int:
    """Run a command in the stack's environment; `python` is that of the flows."""
    stack = _target(options, console)
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not words:
        raise StackError("which command? stack exec -- COMMAND [ARGUMENT …]")
    if not stack.is_running:
        raise StackError(f"no stack runs in {stack.place}: `{_up(stack)}` first")
    env = stack.environment()
    env["PATH"] = os.pathsep.join((str(stack.flows_python.parent), env.get("PATH", "")))
    try:
        return subprocess.run(words, env=env, check=False).returncode
    except OSError as error:
        raise StackError(f"cannot run {words[0]}: {error.strerror}") from error


def pipeline(options: argparse.Namespace, console: Console) -> int:
    """Run the whole pipeline and show its result."""
    began = time.monotonic()
    stack = _target(options, console, began)
    was_up = stack.is_running
    chosen = work.Options(
        cab=options.cab, month=options.month, train_months=tuple(options.train_month),
        source=_source(options), rows=options.rows, seed=options.seed,
        timeout=options.timeout,
    )  # fmt: skip

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - began:7.1f} s  {text}", markup=False)

    try:
        if isinstance(stack, ComposeTarget):
            stack.bring_up()
        else:
            work.bring_up(stack, dict(options.port))
        started = time.monotonic() - began
        outcome = work.run(stack, chosen, say)
        outcome.seconds = {"bring the stack up": started} | outcome.seconds
        console.print(outcome_tables(outcome))
    except KeyboardInterrupt:
        options.keep = False  # to look at its end, not at its middle
        raise
    finally:
        if not was_up and not options.keep:
            stack.down()
    _show_what_next(stack, console, outcome, kept=was_up or options.keep)
    return 0


def _source(options: argparse.Namespace) -> str:
    """Return the source with a relative path made absolute: Airflow runs elsewhere."""
    source = str(options.source)
    if source in ("", "tlc", "generator") or "://" in source:
        return source
    path = Path(source)
    if options.target == _COMPOSE:
        if not path.exists():
            return source  # of the containers, perhaps
        raise StackError(
            f"{path} is on this machine, where containers do not see it: copy its files to "
            "s3://trip-data/source/ and give that as --source, or a URL"
        )
    # Shown without the dots that absolute() keeps, and with the name that resolve() would follow.
    return os.path.abspath(path)  # noqa: PTH100


def _stack(options: argparse.Namespace, console: Console, began: float | None = None) -> Stack:
    return Stack(_state_folder(options), _report(console, began))


def _target(
    options: argparse.Namespace, console: Console, began: float | None = None
) -> Stack | ComposeTarget:
    if options.target == _COMPOSE:
        return ComposeTarget(State.at(_state_folder(options)), _report(console, began))
    return _stack(options, console, began)


def _state_folder(options: argparse.Namespace) -> Path:
    return Path(options.state or os.environ.get("STACK_STATE") or workspace() / ".embedded")


def _report(console: Console, began: float | None) -> Callable[[str, str], None]:
    begin = time.monotonic() if began is None else began

    def report(name: str, text: str) -> None:
        console.print(f"{time.monotonic() - begin:7.1f} s  {name:16}{text}", markup=False)

    return report


def _up(stack: Stack | ComposeTarget) -> str:
    if isinstance(stack, ComposeTarget):
        return "docker compose up --wait"
    return f"{_own_command(stack)} up"


def _show_addresses(stack: Stack | ComposeTarget, console: Console) -> None:
    username, password = stack.airflow_login
    console.print(f"Airflow   {stack.airflow_url}   login {username}, password {password}")
    console.print(f"S3        {stack.environment()['AWS_ENDPOINT_URL']}")
    console.print(stack.keeps)


def _show_what_next(
    stack: Stack | ComposeTarget, console: Console, outcome: Outcome, *, kept: bool
) -> None:
    command = f"{_own_command(stack)} exec"
    if isinstance(stack, ComposeTarget):
        command += f" --target {_COMPOSE}"
    console.print()
    if not kept:
        console.print(f"The stack is stopped; its state is kept. To look at it: {_up(stack)}")
    _show_addresses(stack, console)
    for flow, part in zip(FLOWS, ("train", "predict"), strict=True):
        file = os.path.relpath(stack.flows_folder / flow.dag_file)
        flow_command = f"{command} -- python {file}"
        _, run, step, task = outcome.report[part]["card"].split("/")
        card = f"{run}/{step}/{task}"
        page = f"dags/{flow.dag_id}/runs/{outcome.runs[flow.dag_id].run_id}"
        console.print(f"{part}")
        console.print(f"  run   {stack.airflow_url}/{page}")
        console.print(f"  card  {flow_command} card view {card}")
        console.print(f"        (without a browser here: card get {card} {part}.html)")
        console.print(f"  log   {flow_command} logs {card}")


def _own_command(stack: Stack | ComposeTarget) -> str:
    uv = os.environ.get("UV")
    if uv and Path(uv).is_relative_to(Path.cwd()):
        uv = str(Path(uv).relative_to(Path.cwd()))
    start = f"{uv} run --package embedded stack" if uv else "stack"
    default = stack.state.root == workspace() / ".embedded"
    return start if default else f"STACK_STATE={stack.state.root} {start}"


def _interrupt(number: int, frame: object) -> None:
    """Interrupt once: a second Ctrl-C would cut off what ends the processes."""
    for each in _ENDS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--state", metavar="DIR", help="state directory (default: $STACK_STATE, else .embedded)"
    )
    starts = argparse.ArgumentParser(add_help=False)
    starts.add_argument(
        "--port", action="append", type=port, default=[], metavar="NAME=N",
        help="fix the port of airflow, postgres or s3; free ones are taken otherwise",
    )  # fmt: skip
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument(
        "--target", choices=("embedded", _COMPOSE), default="embedded",
        help="processes on this machine, or the containers of compose.yaml",
    )  # fmt: skip
    parser = argparse.ArgumentParser(prog="stack", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")

    def verb(
        name: str, command: object, *parents: argparse.ArgumentParser
    ) -> argparse.ArgumentParser:
        text = (command.__doc__ or "").splitlines()[0]
        found = verbs.add_parser(name, help=text, description=text, parents=[shared, *parents])
        found.set_defaults(command=command)
        return found

    verb("up", up, starts)
    verb("down", down)
    verb("status", status).add_argument("--json", action="store_true", help="print stack.json")
    reader = verb("logs", show_logs)
    reader.add_argument("server", nargs="*", help="servers to show (default: all)")
    reader.add_argument("--follow", "-f", action="store_true", help="go on as they grow")
    verb("exec", execute, where).add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    whole = verb("pipeline", pipeline, starts, where)
    whole.add_argument("--cab", choices=("green", "yellow"), default="green")
    whole.add_argument(
        "--month", type=month, default="2024-01", metavar="YYYY-MM", help="the month to predict"
    )
    whole.add_argument(
        "--train-month", type=month, action="append", default=[], metavar="YYYY-MM",
        help="repeatable; default: the month before",
    )  # fmt: skip
    whole.add_argument(
        "--source", default="",
        help="file, directory or URL in TLC's form, or `generator`; default: TLC's site",
    )  # fmt: skip
    whole.add_argument("--rows", type=count, help="rows a month, from the generator")
    whole.add_argument("--seed", type=int, help="seed of the generator")
    whole.add_argument("--keep", action="store_true", help="leave the stack up")
    whole.add_argument("--timeout", type=float, default=1800.0, help="seconds for the run")
    return parser


if __name__ == "__main__":
    sys.exit(main())

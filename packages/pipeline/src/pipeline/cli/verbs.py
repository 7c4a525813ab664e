"""`stack`: the platform as processes on this machine, and its pipeline there or in containers."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from pathlib import Path

from embedded import logs
from embedded.errors import StackError
from rich.console import Console

from pipeline import cleaning
from pipeline.cli import targets
from pipeline.cli.closing import show_addresses, show_what_next
from pipeline.options import Options
from pipeline.run import run
from pipeline.tables import outcome_tables, status_table


def up(options: argparse.Namespace, console: Console) -> int:
    """Bring the stack up."""
    target = targets.embedded(options, console)
    if not target.stack.up(dict(options.port)):
        console.print(f"the stack in {target.place} is up already: nothing to do")
    show_addresses(target, console)
    return 0


def down(options: argparse.Namespace, console: Console) -> int:
    """Stop everything; what was kept on disk stays."""
    target = targets.embedded(options, console)
    console.print("stopped" if target.stack.down() else f"no stack runs in {target.place}")
    return 0


def status(options: argparse.Namespace, console: Console) -> int:
    """Show servers, health and addresses; 0 only when all are ready."""
    target = targets.embedded(options, console)
    found = target.stack.status()
    states = {info["state"] for info in found["servers"].values()}
    ready = found["phase"] == "ready" and states == {"ready"}
    if options.json:
        if target.state.exists:
            found["airflow"] = {"url": target.airflow_url, "username": target.airflow_login[0]}
        print(json.dumps(found, indent=2))
        return 0 if ready else 1
    console.print(status_table(found))
    for name, info in found["servers"].items():
        if info.get("report"):
            console.print(f"{name}: {info['report']}", markup=False)
    for end in found.get("ends", []):
        first = str(end["report"]).partition(". The end of ")[0]
        console.print(f"{end['at']}  {first}", markup=False)
    if ready:
        show_addresses(target, console)
    return 0 if ready else 1


def login(options: argparse.Namespace, console: Console) -> int:
    """Print Airflow's address, user name and password, a line each."""
    target = targets.target(options, console)
    for line in (target.airflow_url, *target.airflow_login):
        print(line)
    return 0


def rotate(options: argparse.Namespace, console: Console) -> int:
    """Draw every password and key anew, and bring them to what runs."""
    target = targets.target(options, console)
    console.print(f"drawn anew: {', '.join(target.rotate())}", markup=False)
    return 0


def show_logs(options: argparse.Namespace, console: Console) -> int:
    """Print the logs, each line under its server's name."""
    target = targets.embedded(options, console)
    logs.show(target.logs_folder, options.server, follow=options.follow)
    return 0


def execute(options: argparse.Namespace, console: Console) -> int:
    """Run a command in the stack's environment; `python` is that of the flows."""
    target = targets.target(options, console)
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not words:
        raise StackError("which command? stack exec -- COMMAND [ARGUMENT …]")
    if not target.is_running:
        command = target.up_command(targets.own_command(target))
        raise StackError(f"no stack runs in {target.place}: `{command}` first")
    env = target.environment()
    env["PATH"] = os.pathsep.join((str(target.flows_python.parent), env.get("PATH", "")))
    if path := os.environ.get("PYTHONPATH"):
        env["PYTHONPATH"] = path  # of whoever types this; it travels with an exported flow
    # `uv pip install` brings the flows their libraries.
    env["VIRTUAL_ENV"] = str(target.state.flows_env)
    try:
        return subprocess.run(words, env=env, umask=options.umask, check=False).returncode
    except OSError as error:
        raise StackError(f"cannot run {words[0]}: {error.strerror}") from error


def pipeline(options: argparse.Namespace, console: Console) -> int:
    """Run the whole pipeline and show its result."""
    began = time.monotonic()
    target = targets.target(options, console, began)
    target.chain = chain = options.chain or bool(options.train_month)
    was_up = target.is_running
    chosen = Options(
        cab=options.cab, month=options.month, train_months=tuple(options.train_month),
        source=_source(options), rows=options.rows, seed=options.seed,
        timeout=options.timeout, chain=chain,
    )  # fmt: skip

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - began:7.1f} s  {text}", markup=False)

    try:
        target.bring_up()
        started = time.monotonic() - began
        outcome = run(target, chosen, say)
        outcome.seconds = {"bring the stack up": started} | outcome.seconds
        console.print(outcome_tables(outcome))
    except KeyboardInterrupt:
        options.keep = False  # to look at its end, not at its middle
        raise
    finally:
        if not was_up and not options.keep:
            target.down()
    show_what_next(target, console, outcome, kept=was_up or options.keep)
    return 0


def clean(options: argparse.Namespace, console: Console) -> int:
    """Remove what is old: Airflow's records and logs, DAG versions without runs, steps' folders."""
    target = targets.target(options, console)
    if not target.is_running:
        command = target.up_command(targets.own_command(target))
        raise StackError(f"no stack runs in {target.place}: `{command}` first")
    cleaning.clean(
        target, days=options.days, keep_features=options.keep_features,
        keep_predictions=options.keep_predictions, dry_run=options.dry_run,
        say=lambda text: console.print(text, markup=False),
    )  # fmt: skip
    return 0


def _source(options: argparse.Namespace) -> str:
    """Return the source with a relative path made absolute: Airflow runs elsewhere."""
    source = str(options.source)
    if source in ("", "tlc", "generator") or "://" in source:
        return source
    path = Path(source)
    if options.target != "embedded":
        if not path.exists():
            return source  # of the containers, perhaps
        raise StackError(
            f"{path} is on this machine, where the workers do not see it: copy its files to "
            "s3://trip-data/source/ and give that as --source, or a URL"
        )
    # Shown without the dots that absolute() keeps, and with the name that resolve() would follow.
    return os.path.abspath(path)  # noqa: PTH100

"""The words of the command line."""

from __future__ import annotations

import argparse

from pipeline.cli import verbs
from pipeline.cli.targets import TARGETS
from pipeline.cli.words import count, month, port


def parser() -> argparse.ArgumentParser:
    """Return the parser; what it parses has the command as `command`."""
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
        "--target", choices=tuple(TARGETS), default="embedded",
        help="processes on this machine, the containers of compose.yaml, or an Airflow of your own",
    )  # fmt: skip
    whole = argparse.ArgumentParser(prog="stack", description=verbs.__doc__)
    commands = whole.add_subparsers(required=True, metavar="COMMAND")

    def verb(
        name: str, command: object, *parents: argparse.ArgumentParser
    ) -> argparse.ArgumentParser:
        text = (command.__doc__ or "").splitlines()[0]
        found = commands.add_parser(name, help=text, description=text, parents=[shared, *parents])
        found.set_defaults(command=command)
        return found

    verb("up", verbs.up, starts)
    verb("down", verbs.down)
    verb("status", verbs.status).add_argument(
        "--json", action="store_true", help="print stack.json"
    )
    verb("login", verbs.login, where)
    verb("rotate", verbs.rotate, where)
    reader = verb("logs", verbs.show_logs)
    reader.add_argument("server", nargs="*", help="servers to show (default: all)")
    reader.add_argument("--follow", "-f", action="store_true", help="go on as they grow")
    verb("exec", verbs.execute, where).add_argument(
        "words", nargs=argparse.REMAINDER, metavar="COMMAND"
    )
    cleaner = verb("clean", verbs.clean, where)
    cleaner.add_argument(
        "--days", type=float, default=30.0, help="how old what is removed is (default: 30)"
    )
    cleaner.add_argument(
        "--keep-features", type=count, metavar="N",
        help="how many feature versions of each month stay (default: all)",
    )  # fmt: skip
    cleaner.add_argument(
        "--keep-predictions", type=count, metavar="N",
        help="how many versions of each month's predictions stay (default: all)",
    )  # fmt: skip
    cleaner.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    run = verb("pipeline", verbs.pipeline, starts, where)
    run.add_argument("--cab", choices=("green", "yellow"), default="green")
    run.add_argument(
        "--month", type=month, default="2024-01", metavar="YYYY-MM", help="the month to predict"
    )
    run.add_argument(
        "--train-month", type=month, action="append", default=[], metavar="YYYY-MM",
        help="a month to train on, instead of the one before; repeatable, with --chain",
    )  # fmt: skip
    run.add_argument(
        "--chain",
        action="store_true",
        help="let the data team's DAG start the flows (TriggerDagRunOperator) instead of events",
    )
    run.add_argument(
        "--source", default="",
        help="file, directory or URL in TLC's form, or `generator`; default: TLC's site",
    )  # fmt: skip
    run.add_argument("--rows", type=count, help="rows a month, from the generator")
    run.add_argument("--seed", type=int, help="seed of the generator")
    run.add_argument("--keep", action="store_true", help="leave the stack up")
    run.add_argument("--timeout", type=float, default=1800.0, help="seconds for the run")
    return whole

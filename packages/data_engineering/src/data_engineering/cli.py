"""The commands of `python -m data_engineering`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_engineering.contract.months import CABS, check_month, data_root, months_in, root_for
from data_engineering.errors import DataError

if TYPE_CHECKING:
    from data_engineering.publish.care import Version

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code: 0, 1 if something is wrong, 130 after Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help")):
        given.insert(0, "publish")  # what the package is for needs no word
    options = _parser().parse_args(given)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for noisy in ("httpx", "botocore", "boto3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    command: Command = options.command
    try:
        return command(options)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; readers see what they saw before", file=sys.stderr)
        return 130


def _publish(options: argparse.Namespace) -> int:
    return _months(options, [check_month(month) for month in options.month])


def _backfill(options: argparse.Namespace) -> int:
    return _months(options, months_in(options.months))


def _months(options: argparse.Namespace, months: list[str]) -> int:
    """Publish months in their order, as history is made of earlier ones; one may fail alone."""
    from data_engineering import steps
    from data_engineering.storage.objects import Storage

    source = _absolute(options.source)
    root = root_for(source, options.root or data_root())
    storage = Storage(root)
    # Who runs this command may read the files that it names.
    places = ["*"]
    origins = steps.plan(
        storage, options.cab, months, source, rows=options.rows, seed=options.seed, places=places
    )
    failed = []
    for origin in origins:
        try:
            landed = steps.fetch(storage, origin, places)
            published = steps.publish_month(storage, landed)
            print("\n".join(steps.summary_lines(published)), flush=True)
            steps.refuse_held(published, root)
        except DataError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            failed.append(origin.month)
    if failed and len(origins) > 1:
        print(
            f"{len(failed)} of {len(origins)} months failed: {', '.join(failed)}", file=sys.stderr
        )
    return 1 if failed else 0


def _publish_held(options: argparse.Namespace) -> int:
    from data_engineering.publish.versions import publish_held
    from data_engineering.storage.objects import Storage

    for month in options.month:
        content = publish_held(Storage(options.root or data_root()), options.cab, month)
        print(f"{options.cab} {month}: published {content['version']}")
        print(f"  although {'; '.join(content['doubts'])}")
    return 0


def _list(options: argparse.Namespace) -> int:
    from data_engineering.publish.care import list_versions
    from data_engineering.storage.objects import Storage

    storage = Storage(options.root or data_root())
    _print_versions(list_versions(storage, [options.cab] if options.cab else CABS))
    return 0


def _prune(options: argparse.Namespace) -> int:
    from data_engineering.publish.care import prune
    from data_engineering.storage.objects import Storage

    cabs = [options.cab] if options.cab else CABS
    storage = Storage(options.root or data_root())
    removed = prune(storage, options.keep, cabs, dry_run=options.dry_run)
    _print_versions(removed)
    megabytes = sum(version.bytes for version in removed) / 1e6
    would = "would be removed" if options.dry_run else "removed"
    print(f"{len(removed)} versions, {megabytes:,.1f} MB {would}")
    return 0


def _print_versions(versions: Sequence[Version]) -> None:
    for each in versions:
        print(
            f"{each.cab} {each.month} {each.name} {each.state:10} {each.rows:>10,} rows "
            f"{each.bytes / 1e6:>9,.1f} MB"
        )
        for name in each.named_in:
            print(f"    read by {name}")


def _absolute(source: str) -> str:
    """Make a relative path absolute: workers of the DAG would read it from elsewhere."""
    if source in ("", "tlc", "generator") or "://" in source:
        return source
    return str(Path(source).expanduser().absolute())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_engineering",
        description="Months of TLC taxi trips as feature datasets. Without a command: publish.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Command, text: str, cab: str | None = "green"
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=run)
        added.add_argument("--cab", choices=CABS, default=cab)
        added.add_argument(
            "--root",
            default="",
            help="where datasets are: s3://bucket/prefix or a folder (default $TRIP_DATA_ROOT)",
        )
        return added

    publish = command("publish", _publish, "Fetch months, check them, publish their features.")
    _month(publish, default=["2024-01"])
    _source(publish)
    backfill = command(
        "backfill", _backfill,
        "Publish a span of months, one after the other; run it again to go on.",
    )  # fmt: skip
    backfill.add_argument("months", metavar="YYYY-MM..YYYY-MM", help="both ends included")
    _source(backfill)
    held = command(
        "publish-held", _publish_held, "Show the version of a month that is held back to readers."
    )
    _month(held)
    command("list", _list, "List versions, their sizes, and what reads them.", None)
    prune = command("prune", _prune, "Remove versions that are old.", None)
    prune.add_argument(
        "--keep", type=int, required=True, metavar="N", help="how many of each month stay"
    )
    prune.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    return parser


def _month(parser: argparse.ArgumentParser, default: list[str] | None = None) -> None:
    parser.add_argument(
        "--month", nargs="+", default=default, required=default is None, metavar="YYYY-MM",
        help="one month or more",
    )  # fmt: skip


def _source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source",
        default="",
        help="tlc (default), generator (made-up trips, below made-up/ of the root), a file, a "
        "folder, or an http(s):// or s3:// URL",
    )
    parser.add_argument("--rows", type=int, default=60_000, help="generator: rows a month")
    parser.add_argument("--seed", type=int, default=0, help="generator: same seed, same trips")

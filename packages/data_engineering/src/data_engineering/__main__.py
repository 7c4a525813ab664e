"""The DAG's work without Airflow: `python -m data_engineering --cab green --month 2024-01`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from data_engineering import contract
from data_engineering.errors import DataError


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch, check and publish months one after the other; return the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for noisy in ("httpx", "botocore", "boto3", "s3transfer"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        _run(options)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    from data_engineering import steps
    from data_engineering.storage import default_root, open_storage

    storage = open_storage(options.root or default_root())
    months = [contract.check_month(month) for month in options.month]
    origins = steps.plan(
        storage,
        options.cab,
        months,
        _absolute(options.source),
        rows=options.rows,
        seed=options.seed,
    )
    for origin in origins:
        validated = steps.validate(storage, steps.fetch(storage, origin))
        published = steps.publish_features(storage, validated)
        print("\n".join(steps.summary_lines(validated)))
        print(f"  {'source':24}{published['source']}: {published['source_uri']}")
        print(f"  {'features':24}{published['uri']}")


def _absolute(source: str) -> str:
    """Make a relative path absolute: workers of the DAG would read it from elsewhere."""
    if source in ("", "tlc", "generator") or "://" in source:
        return source
    return str(Path(source).expanduser().absolute())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_engineering",
        description="Fetch a month of TLC taxi trips, check it, publish its features.",
    )
    parser.add_argument("--cab", choices=contract.CABS, default="green")
    parser.add_argument(
        "--month", nargs="+", default=["2024-01"], metavar="YYYY-MM", help="one month or more"
    )
    parser.add_argument(
        "--source",
        default="",
        help="tlc (default; the generator where it cannot be reached), generator, a file, a "
        "folder, or an http(s):// or s3:// URL",
    )
    parser.add_argument(
        "--root",
        default="",
        help="where to publish: s3://bucket/prefix or a folder (default $TRIP_DATA_ROOT)",
    )
    parser.add_argument("--rows", type=int, default=60_000, help="generator: rows a month")
    parser.add_argument("--seed", type=int, default=0, help="generator: same seed, same trips")
    return parser


if __name__ == "__main__":
    sys.exit(main())

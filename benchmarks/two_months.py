"""The features of two real months, as the benchmarks on real trips read them."""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path

import polars as pl


def asked_for(description: str | None) -> argparse.Namespace:
    """Read a benchmark's command line: folder, cab and two months."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cab", default="green")
    parser.add_argument("--months", nargs=2, default=["2023-12", "2024-01"], metavar="MONTH")
    return parser.parse_args()


def features_of(given: argparse.Namespace) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Publish both months in a folder of their own, and read their features."""
    logging.disable()
    with tempfile.TemporaryDirectory() as root:
        first, second = (_trips_of(given.folder, given.cab, each, root) for each in given.months)
    return first, second


def _trips_of(folder: Path, cab: str, month: str, root: str) -> pl.DataFrame:
    from data_engineering import steps
    from data_engineering.publish.versions import publish_held
    from data_engineering.sources.origin import resolve
    from data_engineering.storage.objects import Storage

    storage = Storage(root)
    origin = resolve(str(folder), cab, month, rows=1, seed=0)
    published = steps.publish_month(storage, steps.fetch(storage, origin, [str(folder)]))
    if published.state == "held":
        publish_held(storage, cab, month)
    return pl.read_parquet(published.manifest["uri"])

"""The feature datasets that the data team publishes: which version, is it whole, its rows.

Readers start from <root>/<cab>/<month>/current.json, which names one immutable version. A file is
brought here in pieces and compared with its manifest's size and checksum before a row is read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ml_flows import contract, storage
from ml_flows.contract import Manifest
from ml_flows.errors import InputError
from ml_flows.split import TEST_DAYS, Split, check_order, last_days, month_before, parse_months

if TYPE_CHECKING:
    import polars as pl

TOO_SHORT_OR_LONG = "outside_range"
BEYOND = "too_long"
"""Reasons of the quarantine that a trip has which somebody would have asked for: it lasted under 1
or over 60 minutes; with the second, hours (a meter that nobody switched off, mostly)."""


def manifest_uri(root: str, cab: str, month: str) -> str:
    """Where a month's current.json stands."""
    return f"{root.rstrip('/')}/{cab}/{month}/current.json"


def resolve(root: str, cab: str, month: str) -> Manifest:
    """The current version of a month's dataset, checked; the version it names stays readable.

    Raises:
        InputError: no bucket, no dataset, no access, or not as agreed.
        StorageUnavailableError: the server does not answer.
    """
    found = find(root, cab, month)
    if found is None:
        uri = manifest_uri(root, cab, month)
        raise InputError(
            f"There is no feature dataset of {cab} taxis for {month}: {uri} does not exist. "
            "Run the DAG data_engineering_dag for this month, or correct features_root."
        )
    return found


def find(root: str, cab: str, month: str) -> Manifest | None:
    """As resolve(), but None where the month is not published."""
    if cab not in contract.CABS:
        raise InputError(f"cab: {cab!r} is none of {', '.join(contract.CABS)}.")
    uri = manifest_uri(root, cab, month)
    try:
        manifest = storage.read_json(uri)
    except storage.NoObjectError:
        return None
    return contract.check_manifest(manifest, uri, cab=cab, month=month)


@contextmanager
def opened(manifest: Manifest, kind: str = "features") -> Iterator[Path]:
    """One of a version's files, as a local copy that is what was published; gone afterwards.

    Args:
        kind: "features" or "quarantine".

    Raises:
        InputError: it is gone, or other bytes than the manifest says.
    """
    file = (manifest.get("files") or {}).get(kind, {})
    uri = str(file.get("uri", manifest["uri"]))
    with tempfile.TemporaryDirectory(prefix="trips-") as directory:
        found = storage.fetch(uri, Path(directory) / f"{kind}.parquet")
        contract.check_file(file, uri, size=found.size, sha256=found.sha256)
        yield found.path


def scan(path: Path, uri: str) -> pl.LazyFrame:
    """The trips of a local copy: COLUMNS and OPTIONAL, in one set of types; a column that a month
    does not have is null.

    Raises:
        InputError: no Parquet, or not as agreed; the text names the URI.
    """
    import polars as pl

    try:
        lazy = pl.scan_parquet(path)
        schema = lazy.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{uri} cannot be read as Parquet: {error}") from error
    contract.check_columns({name: str(dtype) for name, dtype in schema.items()}, uri)
    types = {
        "pickup_at": pl.Datetime("us"),
        "pickup_zone": pl.Int16(),
        "dropoff_zone": pl.Int16(),
        "weekday": pl.Int8(),
        "duration_minutes": pl.Float32(),
        contract.HOLIDAY: pl.Boolean(),
        contract.BOROUGH: pl.String(),
        contract.MILES: pl.Float32(),
        **dict.fromkeys(contract.HISTORY, pl.Float32()),
    }
    return lazy.select(
        (pl.col(name) if name in schema else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in types.items()
    )


def read(
    manifests: Sequence[Manifest],
    *,
    before: datetime | None = None,
    since: datetime | None = None,
    max_rows: int = 0,
    seed: int = 0,
) -> pl.DataFrame:
    """The trips of some months, in one order for one seed.

    Args:
        before, since: only trips picked up then, where given.
        max_rows: a random sample of about so many, each month by its share; 0 for all.

    Raises:
        InputError: a file is not what its manifest says, or no trip is left.
    """
    import polars as pl

    rows = sum(int(manifest["rows"]) for manifest in manifests)
    share = min(1.0, max_rows / rows) if max_rows else 1.0
    frames = []
    for manifest in manifests:
        frame = _read_one(manifest, before, since)
        frames.append(_sample(frame, share, seed) if share < 1 else frame)
    trips = pl.concat(frames)
    if trips.is_empty():
        uris = ", ".join(str(manifest["uri"]) for manifest in manifests)
        window = " ".join(
            f"{name} {value:%Y-%m-%d}"
            for name, value in (("since", since), ("before", before))
            if value
        )
        raise InputError(f"No trips {window or 'at all'} in {uris}.")
    return trips


def plan_split(
    root: str, cab: str, train_months: str, test_month: str, *, validation_days: int
) -> Split:
    """Pin the datasets of a training.

    Args:
        train_months: "" for the month before the test month; where that is not published, the
            test month itself, whose last TEST_DAYS are held out.
        test_month: "" to hold out the last TEST_DAYS of the train months.
        validation_days: the last days before the test's, or of the train months.

    Raises:
        InputError: months that make no sense, or what resolve() raises.
    """
    test = test_month.strip()
    if test and not train_months.strip():
        before = month_before(test)
        is_first = find(root, cab, before) is None
        train_months, test = (test, "") if is_first else (before, test)
    months = parse_months(train_months, "train_months")
    check_order(months, test)
    if not 1 <= validation_days <= 14:
        raise InputError(
            f"Config search: validation_days is {validation_days}; give 1 to 14 days of a month."
        )
    held_out = None if test else last_days(months[-1], TEST_DAYS)
    return Split(
        cab=cab,
        train=[resolve(root, cab, month) for month in months],
        test=resolve(root, cab, test) if test else None,
        validate_from=(
            last_days(months[-1], validation_days)
            if held_out is None
            else held_out - timedelta(days=validation_days)
        ),
        held_out_from=held_out,
    )


def read_train(split: Split, *, max_rows: int = 0, seed: int = 0) -> pl.DataFrame:
    """The trips to learn from and to validate on; see read()."""
    return read(split["train"], before=split["held_out_from"], max_rows=max_rows, seed=seed)


def read_test(split: Split, *, max_rows: int = 0, seed: int = 0) -> pl.DataFrame:
    """The held-out trips; see read()."""
    return read(_held_out(split), since=split["held_out_from"], max_rows=max_rows, seed=seed)


def read_outside(split: Split) -> pl.DataFrame | None:
    """Held-out trips that would have been asked for and lasted under 1 or over 60 minutes.

    Returns:
        trips as read() gives them, and `beyond`: whether it lasted hours. None where a dataset has
        no quarantine.
    """
    import polars as pl

    frames = []
    for manifest in _held_out(split):
        if "quarantine" not in (manifest.get("files") or {}):
            return None
        uri = str(manifest["files"]["quarantine"]["uri"])
        with opened(manifest, "quarantine") as path:
            reasons = pl.scan_parquet(path).select("reasons")
            trips = pl.concat([scan(path, uri), reasons], how="horizontal")
            asked = {TOO_SHORT_OR_LONG, BEYOND}
            found = trips.filter(
                pl.col("reasons").list.contains(TOO_SHORT_OR_LONG),
                pl.col("reasons").list.eval(pl.element().is_in(asked)).list.all(),
                pl.all_horizontal(pl.col(*contract.COLUMNS).is_not_null()),
            )
            if (start := split["held_out_from"]) is not None:
                found = found.filter(pl.col("pickup_at") >= start)
            frames.append(
                found.with_columns(beyond=pl.col("reasons").list.contains(BEYOND))
                .drop("reasons")
                .collect()
            )
    return pl.concat(frames)


def most_rows(split: Split, max_rows: int) -> int:
    """How many trips a step of this training holds at most."""
    rows = max(
        sum(int(each["rows"]) for each in part) for part in (split["train"], _held_out(split))
    )
    return min(rows, max_rows) if max_rows else rows


def _held_out(split: Split) -> list[Manifest]:
    return [split["test"]] if split["test"] else split["train"]


def _read_one(manifest: Manifest, before: datetime | None, since: datetime | None) -> pl.DataFrame:
    import polars as pl

    uri = str(manifest["uri"])
    with opened(manifest) as path:
        lazy = scan(path, uri)
        if before is not None:
            lazy = lazy.filter(pl.col("pickup_at") < before)
        if since is not None:
            lazy = lazy.filter(pl.col("pickup_at") >= since)
        try:
            frame = lazy.collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(f"{uri} cannot be read as Parquet: {error}") from error
    for name in contract.COLUMNS:
        if nulls := frame[name].null_count():
            raise InputError(f"{uri} is not as agreed: column {name!r} has {nulls} nulls.")
    return frame


def _sample(frame: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
    import numpy as np

    count = round(frame.height * share)
    chosen = np.random.default_rng(seed).choice(frame.height, size=count, replace=False)
    chosen.sort()
    return frame[chosen]

"""Publish a month's features as one immutable version that readers see all at once or not at all.

    features/<cab>/<month>/<version>/features.parquet   written first
    features/<cab>/<month>/<version>/dataset.json       says that this version is whole
    features/<cab>/<month>/current.json                 written last: what readers start from

A version without dataset.json is what a publisher left that was killed; the next one removes it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from data_engineering import contract, tables
from data_engineering.errors import DataError
from data_engineering.features import column_types, schema
from data_engineering.storage import Storage
from data_engineering.validate import Tally

log = logging.getLogger(__name__)

ABANDONED_AFTER = timedelta(hours=1)
_LATE_SECONDS = 2.0
_TIME = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True)
class Provenance:
    """Which input a dataset was made of: kind of source, its URI, and the file's SHA-256."""

    source: str
    source_uri: str
    sha256: str


def version_of(made: datetime, provenance: Provenance) -> str:
    """Return a version's name: UTC time, and a hash of the input's bytes and our columns.

    Features are a function of these two, so that versions with one hash hold the same rows.
    """
    made_of = json.dumps([contract.VERSION, provenance.sha256, list(contract.FEATURES.items())])
    return f"{made.strftime(_TIME)}-{hashlib.sha256(made_of.encode()).hexdigest()[:8]}"


def publish(
    storage: Storage, cab: str, month: str, table: pl.LazyFrame, tally: Tally, made_of: Provenance
) -> dict[str, Any]:
    """Write `table` as a new version and make it the current one; return current.json's content.

    Raises:
        DataError: writing failed, or what was written is not what `tally` counted. Readers then
            still see the version before.
    """
    base = f"features/{contract.check_cab(cab)}/{contract.check_month(month)}"
    made = datetime.now(UTC)
    version = version_of(made, made_of)
    key = f"{base}/{version}/features.parquet"
    storage.check()
    sweep(storage, base, made - ABANDONED_AFTER)
    try:
        tables.sink(storage, table, key)
        _check_written(storage, key, tally.rows_kept)
        content = {
            "contract": contract.VERSION,
            "cab": cab,
            "month": month,
            "version": version,
            "uri": storage.uri(key),
            "rows": tally.rows_kept,
            **tally.as_dict(),
            **asdict(made_of),
            "created": made.isoformat(),
            "columns": column_types(),
        }
        encoded = json.dumps(content, indent=1).encode()
        storage.put(f"{base}/{version}/dataset.json", encoded)
    except BaseException:
        _drop(storage, key)
        raise
    storage.put(f"{base}/current.json", encoded)
    log.info("Published %s rows as %s", f"{tally.rows_kept:,}", storage.uri(key))
    return content


def current(storage: Storage, cab: str, month: str) -> dict[str, Any] | None:
    """Return what current.json says of that month, or None if nothing is published."""
    found = storage.get(f"features/{cab}/{month}/current.json")
    return None if found is None else json.loads(found)


def sweep(storage: Storage, base: str, before: datetime) -> list[str]:
    """Remove versions below `base` that were begun before that time and never became whole."""
    keys = storage.keys(f"{base}/")
    versions = {key.split("/")[-2] for key in keys if key.count("/") == base.count("/") + 2}
    whole = {key.split("/")[-2] for key in keys if key.endswith("/dataset.json")}
    abandoned = sorted(each for each in versions - whole if _begun_before(each, before))
    for version in abandoned:
        log.warning("Removing %s: its publisher never ended", storage.uri(f"{base}/{version}"))
        storage.delete(f"{base}/{version}/")
    storage.drop_uploads(f"{base}/", before)
    return abandoned


def _begun_before(version: str, time: datetime) -> bool:
    try:
        begun = datetime.strptime(version.partition("-")[0], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return False  # no version of ours
    return begun < time


def _check_written(storage: Storage, key: str, rows: int) -> None:
    with tables.explained(f"reading {storage.uri(key)} back", storage.uri(key)):
        written = tables.scan(storage, key)
        found, columns = written.select(pl.len()).collect().item(), written.collect_schema()
    if found != rows or columns != schema():
        raise DataError(
            f"{storage.uri(key)} has {found:,} rows of {columns}, "
            f"but {rows:,} rows of {schema()} were to be written"
        )


def _drop(storage: Storage, key: str) -> None:
    """Remove the object of a version that failed; if that fails too, the next publisher will do it.

    Polars ends an upload that failed in the background, after it has raised: the object appears
    then, with a part of the rows.
    """
    deadline = time.monotonic() + _LATE_SECONDS
    try:
        while not storage.keys(key) and time.monotonic() < deadline:
            time.sleep(0.1)
        storage.delete(key)
    except DataError as error:
        log.warning("%s stays for the next run to remove: %s", storage.uri(key), error)

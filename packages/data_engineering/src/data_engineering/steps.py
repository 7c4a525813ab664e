"""The work of each Airflow task as a function of plain values; `python -m` runs the same ones."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from data_engineering import contract, sources, tables
from data_engineering.errors import BadInputError
from data_engineering.features import features
from data_engineering.publish import Provenance, publish
from data_engineering.sources import Origin
from data_engineering.storage import Storage
from data_engineering.validate import Tally, check_columns, judge, tally, trips

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Landed:
    """A month's file as it came, kept at `key` of the storage."""

    cab: str
    month: str
    key: str
    made_of: Provenance

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Landed:
        """Make it again from what `dataclasses.asdict` returned."""
        return cls(**{**fields, "made_of": Provenance(**fields["made_of"])})


@dataclass(frozen=True)
class Validated:
    """A landed file whose columns and rows are known: {column: feature}, and the counts."""

    landed: Landed
    columns: dict[str, str]
    tally: Tally

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Validated:
        """Make it again from what `dataclasses.asdict` returned."""
        return cls(Landed.of(fields["landed"]), dict(fields["columns"]), Tally(**fields["tally"]))


def plan(
    storage: Storage, cab: str, months: Sequence[str], source: str, *, rows: int, seed: int
) -> list[Origin]:
    """Decide where each month comes from, after a look whether results can be stored at all.

    Raises:
        DataError: the storage cannot be used, or a parameter makes no sense.
    """
    if rows < 1:
        raise BadInputError(f"rows is {rows}: it must be 1 or more")
    origins = [
        sources.resolve(source, cab, month, rows=rows, seed=seed) for month in sorted(set(months))
    ]
    storage.check()
    return sources.tlc_or_generator(origins, rows=rows, seed=seed)


def fetch(storage: Storage, origin: Origin) -> Landed:
    """Bring a month's file into the storage, unchanged; a file that is there already stays.

    Raises:
        DataError: it cannot be had; with the file's name or URL.
    """
    with tempfile.TemporaryDirectory(prefix="trips-") as folder:
        path = sources.fetch(origin, Path(folder))
        uri = str(path) if origin.kind == "path" else origin.uri
        digest = sources.sha256(path)
        key = f"raw/{origin.cab}/{origin.month}/{digest[:16]}.parquet"
        if storage.keys(key):
            log.info("%s is at %s already", uri, storage.uri(key))
        else:
            storage.upload(path, key)
            log.info("%s: %s bytes to %s", uri, f"{path.stat().st_size:,}", storage.uri(key))
    return Landed(origin.cab, origin.month, key, Provenance(origin.kind, uri, digest))


def validate(storage: Storage, landed: Landed) -> Validated:
    """Check a landed file's columns and count its rows.

    Raises:
        BadInputError: it is not Parquet, is not TLC's, or has no usable row of its month.
    """
    where = landed.made_of.source_uri
    _check_magic(storage, landed.key, where)
    with tables.explained(f"reading {storage.uri(landed.key)}", where):
        file = tables.scan(storage, landed.key)
        columns = check_columns(file.collect_schema(), landed.cab, where)
        counts = tally(judge(trips(file, columns), landed.month), landed.month, where)
    return Validated(landed, columns, counts)


def publish_features(storage: Storage, validated: Validated) -> dict[str, Any]:
    """Build the features of a validated file and publish them; return current.json's content.

    Raises:
        DataError: they cannot be written.
    """
    landed = validated.landed
    where = landed.made_of.source_uri
    with tables.explained(f"building the features of {where}", where):
        return publish(
            storage,
            landed.cab,
            landed.month,
            _features(storage, validated),
            validated.tally,
            landed.made_of,
        )


def summary_lines(validated: Validated) -> list[str]:
    """Return a table of what became of a month's rows, one line each."""
    landed, counts = validated.landed, validated.tally
    lines = [
        f"{landed.cab} {landed.month}",
        f"  {'rows read':24}{counts.rows_read:>12,}",
        f"  {'kept':24}{counts.rows_kept:>12,}",
    ]
    for reason, meaning in contract.REASONS.items():
        lines.append(f"  {reason:24}{counts.set_aside[reason]:>12,}  set aside: {meaning}")
    for name, meaning in contract.NOTED.items():
        lines.append(f"  {name:24}{counts.noted[name]:>12,}  kept with {meaning}")
    return lines


def _features(storage: Storage, validated: Validated) -> pl.LazyFrame:
    landed = validated.landed
    rows = trips(tables.scan(storage, landed.key), validated.columns)
    return features(judge(rows, landed.month))


def _check_magic(storage: Storage, key: str, where: str) -> None:
    begin = storage.get(key, first=64) or b""
    if not begin:
        raise BadInputError(f"{where} is not a Parquet file: it is empty")
    if not begin.startswith(b"PAR1"):
        raise BadInputError(f"{where} is not a Parquet file: it begins with {begin[:40]!r}")

"""The work of each Airflow task as a function of plain values; `python -m` runs the same ones."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from data_engineering.contract.reasons import NOTED, REASONS
from data_engineering.errors import BadInputError, HeldBackError
from data_engineering.publish.catalogue import current
from data_engineering.publish.manifest import Manifest, Provenance
from data_engineering.publish.versions import Published, publish
from data_engineering.sources import origin as origins
from data_engineering.sources.origin import Origin
from data_engineering.storage.objects import Storage, local_files
from data_engineering.trips.read import open_trips

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


def plan(
    storage: Storage,
    cab: str,
    months: Sequence[str],
    source: str,
    *,
    rows: int,
    seed: int,
    places: Sequence[str],
) -> list[Origin]:
    """Decide where each month comes from, after a look whether results can be stored at all.

    Raises:
        DataError: the storage cannot be used, a parameter makes no sense, the source is not
            allowed, or TLC's site cannot be reached.
    """
    if rows < 1:
        raise BadInputError(f"rows is {rows}: it must be 1 or more")
    found = [
        origins.resolve(source, cab, month, rows=rows, seed=seed) for month in sorted(set(months))
    ]
    origins.check_places(found, places)
    storage.check()
    origins.check_reachable(found)
    return found


def fetch(storage: Storage, origin: Origin, places: Sequence[str]) -> Landed:
    """Bring a month's file into the storage, unchanged; a file that is there already stays.

    Its columns are looked at before: what is no trip file is not copied anywhere.

    Raises:
        DataError: it cannot be had, or is no trip file; with the file's name or URL.
    """
    tag = origins.tag_of(origin, places)
    if tag and (known := _fetched(storage, origin, tag)):
        log.info("%s has not changed: it is at %s", origin.uri, storage.uri(known.key))
        return known
    with tempfile.TemporaryDirectory(prefix="trips-") as folder:
        path = origins.fetch(origin, Path(folder), places)
        uri = str(path) if origin.kind == "path" else origin.uri
        with local_files(f"reading {path}"):
            form = open_trips(lambda: cast(BinaryIO, path.open("rb")), origin.cab, uri).form
        digest = origins.sha256(path)
        key = f"raw/{origin.cab}/{origin.month}/{digest[:16]}.{form}"
        if storage.stat(key):
            log.info("%s is at %s already", uri, storage.uri(key))
        else:
            storage.upload(path, key)
            log.info("%s: %s bytes to %s", uri, f"{path.stat().st_size:,}", storage.uri(key))
    return Landed(origin.cab, origin.month, key, Provenance(origin.kind, uri, digest, tag))


def _fetched(storage: Storage, origin: Origin, tag: str) -> Landed | None:
    """Return the file that a published month was made of, if its server still has the same."""
    content = current(storage, origin.cab, origin.month)
    if content is None or (content["source_uri"], content.get("source_tag")) != (origin.uri, tag):
        return None
    folder, digest = f"raw/{origin.cab}/{origin.month}", content["sha256"]
    for key in storage.keys(folder):
        if key.startswith(f"{folder}/{digest[:16]}."):
            made_of = Provenance(content["source"], origin.uri, digest, tag)
            return Landed(origin.cab, origin.month, key, made_of)
    return None


def publish_month(storage: Storage, landed: Landed) -> Published:
    """Build the features of a landed file and publish them, unless the month is held back.

    Raises:
        DataError: the file is damaged or holds nothing to publish, or nothing can be written.
    """
    where = landed.made_of.source_uri
    with storage.explained(f"reading {storage.uri(landed.key)}"):
        file = open_trips(lambda: storage.reading(landed.key), landed.cab, where)
        for line in file.columns.lines():
            log.info("%s has %s", where, line)
        return publish(storage, landed.cab, landed.month, file, landed.made_of)


def refuse_held(published: Published, root: str) -> Manifest:
    """Return the manifest; HeldBackError, which says why and what to do, if it is held back."""
    content = published.manifest
    if published.state == "held":
        cab, month = content["cab"], content["month"]
        raise HeldBackError(
            f"{cab} {month} of {content['source_uri']} is held back: "
            f"{'; '.join(content['doubts'])}. Readers see what they saw before. Look at "
            f"{content['uri'].rpartition('/')[0]}; to publish it anyway: python -m "
            f"data_engineering publish-held --cab {cab} --month {month} --root {root}"
        )
    return content


def summary_lines(published: Published) -> list[str]:
    """Return a table of what became of a month's rows, one line each."""
    content = published.manifest
    made_up = " (made up)" if content["made_up"] else ""
    lines = [
        f"{content['cab']} {content['month']}{made_up}: {published.state}",
        f"  {'rows read':24}{content['rows_read']:>12,}",
        f"  {'kept':24}{content['rows_kept']:>12,}",
    ]
    for reason, meaning in REASONS.items():
        rows = content["set_aside"][reason]
        lines.append(f"  {reason:24}{rows:>12,}  set aside: {meaning}")
    for name, meaning in NOTED.items():
        lines.append(f"  {name:24}{content['noted'][name]:>12,}  kept with {meaning}")
    lines.append(f"  {'source':24}{content['source']}: {content['source_uri']}")
    lines.append(f"  {'features':24}{content['uri']}")
    return lines

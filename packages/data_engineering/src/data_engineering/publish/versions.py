"""Publish a month's features as one immutable version that readers see all at once or not at all.

    features/<cab>/<month>/<version>/features.parquet   what readers read
    features/<cab>/<month>/<version>/quarantine.parquet the rows that were set aside, and why
    features/<cab>/<month>/<version>/pairs.parquet      what later months' history is made of
    features/<cab>/<month>/<version>/schema.json        what the columns mean
    features/<cab>/<month>/<version>/dataset.json       says that this version is whole
    features/<cab>/<month>/current.json                 written last: what readers start from
    features/<cab>/<month>/held.json                    a version that is not believed

dataset.json can be made once. Its publisher makes it when all else is there; whoever sweeps makes
it first for a version that looks abandoned, and only then removes that. So no publisher, however
slow it is and whatever its clock says, loses files that it then shows.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from data_engineering.contract.frames import described
from data_engineering.contract.plausible import Limits, doubts
from data_engineering.errors import BadInputError, DataError, UnavailableError
from data_engineering.publish.build import build
from data_engineering.publish.catalogue import (
    SWEPT,
    earlier_months,
    is_whole,
    key_of,
    lost,
    month_folder,
    read_manifest,
    rows_around,
)
from data_engineering.publish.files import read_verified
from data_engineering.publish.manifest import (
    Manifest,
    Provenance,
    encoded,
    is_made_from,
    is_version,
    made_from,
    manifest,
    version_name,
)
from data_engineering.storage.objects import Storage
from data_engineering.trips.history import PairHistory
from data_engineering.trips.read import TripFile

log = logging.getLogger(__name__)

SILENT_FOR = timedelta(hours=1)
"""A version without dataset.json in which nothing was written for so long is abandoned."""

UPLOAD_ABANDONED_AFTER = timedelta(days=1)
"""An upload in parts that was begun so long ago is abandoned: its parts are kept until removed."""


@dataclass(frozen=True)
class Published:
    """What became of a month: `state` is published, unchanged or held."""

    manifest: Manifest
    state: str


def publish(
    storage: Storage,
    cab: str,
    month: str,
    source: TripFile,
    made_of: Provenance,
    limits: Limits | None = None,
) -> Published:
    """Make a new version of a month's features and show it to readers, if it is plausible.

    The same input with the same history makes no new version.

    Args:
        storage: where to publish.
        cab: whose trips.
        month: YYYY-MM.
        source: the month's trip file.
        made_of: where that file came from.
        limits: when the month is held back; made-up ones never are.

    Raises:
        DataError: nothing could be published. Readers still see the version before.
    """
    base = month_folder(cab, month)
    storage.check()
    limits = limits or Limits.of()
    shown = storage.get_tagged(f"{base}/current.json")
    before: Manifest | None = json.loads(shown[0]) if shown else None
    earlier = earlier_months(storage, cab, month)
    history = [{"month": each["month"], "version": each["version"]} for each in earlier]
    source_hash = made_from(made_of, history)
    if before and is_made_from(before, source_hash) and not lost(storage, before):
        log.info("%s %s: version %s has the same input", cab, month, before["version"])
        return Published(before, "unchanged")
    held = read_manifest(storage, f"{base}/held.json")
    if held and is_made_from(held, source_hash) and not lost(storage, held):
        return _settle(storage, base, held, shown, limits)
    made = datetime.now(UTC)
    sweep(storage, base)
    version = version_name(made, source_hash)
    folder = f"{base}/{version}"
    try:
        built = build(source, month, _history_of(storage, earlier), storage, folder)
        content = manifest(
            cab=cab, month=month, version=version, made=made, made_of=made_of, built=built,
            columns=source.columns, schema_uri=storage.uri(f"{folder}/schema.json"),
            history=history,
        )  # fmt: skip
        storage.put(f"{folder}/schema.json", encoded(described()))
        _claim(storage, folder, content)
    except BaseException:
        _drop(storage, folder)
        raise
    return _settle(storage, base, content, shown, limits)


def publish_held(storage: Storage, cab: str, month: str) -> Manifest:
    """Show the version that is held back to readers.

    Raises:
        BadInputError: no version of that month is held back, or its files are gone.
    """
    base = month_folder(cab, month)
    shown = storage.get_tagged(f"{base}/current.json")
    held = read_manifest(storage, f"{base}/held.json")
    if held is None:
        raise BadInputError(f"no version of {cab} {month} is held back in {storage.uri(base)}")
    if gone := lost(storage, held):
        raise BadInputError(f"{gone} is gone: fetch and check {cab} {month} again")
    _show(storage, base, held, shown)
    storage.delete(f"{base}/held.json")
    return held


def sweep(storage: Storage, base: str, silent_for: timedelta = SILENT_FOR) -> list[str]:
    """Remove versions below `base` that nobody finished; return their names.

    How long nothing was written is told by the storage's own clock.
    """
    unfinished = [
        version
        for version in storage.folders(base)
        if is_version(version) and not is_whole(storage, f"{base}/{version}")
    ]
    storage.drop_uploads(f"{base}/", UPLOAD_ABANDONED_AFTER)
    if not unfinished:
        return []
    now = storage.now()
    abandoned = []
    for version in unfinished:
        folder = f"{base}/{version}"
        last = storage.last_written(folder)
        if last is None or now - last < silent_for:
            continue
        if storage.put(f"{folder}/dataset.json", encoded(SWEPT), create=True) or _is_swept(
            storage, folder
        ):
            log.warning("Removing %s: its publisher never ended", storage.uri(folder))
            _drop(storage, folder)
            abandoned.append(version)
    return abandoned


def _claim(storage: Storage, folder: str, content: Manifest) -> None:
    """Say that the version is whole, unless somebody else said that it is abandoned."""
    made = storage.put(f"{folder}/dataset.json", encoded(content), create=True)
    if not made or (gone := lost(storage, content)):
        what = "it" if not made else gone
        raise UnavailableError(
            f"{storage.uri(folder)}: {what} was removed by another publisher, which took this one "
            "for dead: try again"
        )


def _settle(
    storage: Storage,
    base: str,
    content: Manifest,
    shown: tuple[bytes, str | None] | None,
    limits: Limits,
) -> Published:
    """Show a whole version to readers, or hold it back if it is not plausible."""
    why = [] if content["made_up"] else doubts(
        month=content["month"], read=content["rows_read"], kept=content["rows_kept"],
        other_month=content["dirt"]["other_month"], missing_days=content["missing_days"],
        around=rows_around(storage, content["cab"], content["month"]), limits=limits,
    )  # fmt: skip
    content = {**content, "doubts": why}
    if why:
        storage.put(f"{base}/held.json", encoded(content))
        return Published(content, "held")
    _show(storage, base, content, shown)
    storage.delete(f"{base}/held.json")
    return Published(content, "published")


def _show(
    storage: Storage, base: str, content: Manifest, shown: tuple[bytes, str | None] | None
) -> None:
    written = storage.put(
        f"{base}/current.json",
        encoded(content),
        create=shown is None,
        tag=shown[1] if shown else None,
    )
    if not written:
        raise UnavailableError(
            f"another publisher has written {storage.uri(base)}/current.json meanwhile: try again"
        )
    log.info("Published %s rows as %s", f"{content['rows']:,}", content["uri"])


def _history_of(storage: Storage, earlier: Sequence[Manifest]) -> PairHistory:
    files = [each["files"]["pairs"] for each in earlier]
    return PairHistory.of_months(
        [read_verified(storage, key_of(storage, facts["uri"]), facts) for facts in files]
    )


def _drop(storage: Storage, folder: str) -> None:
    """Remove what there is of a version; dataset.json last, as it keeps its publisher from it."""
    try:
        for key in storage.keys(folder):
            if not key.endswith("/dataset.json"):
                storage.delete(key)
        storage.delete_all(folder)
    except DataError as error:
        log.warning("%s stays for the next run to remove: %s", storage.uri(folder), error)


def _is_swept(storage: Storage, folder: str) -> bool:
    found: Any = read_manifest(storage, f"{folder}/dataset.json")
    return bool(found == SWEPT)

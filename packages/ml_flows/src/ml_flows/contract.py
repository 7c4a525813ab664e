"""What the data team agreed on about a published month. Pure: manifests in, errors out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ml_flows.errors import InputError

CONTRACTS = (1, 2)
"""Versions of the agreement that this code reads: 1 has no quarantine and no checksums."""

PREDICTIONS = 2
"""Version of the agreement on predictions, which this package writes."""

CABS = ("green", "yellow")

Manifest = dict[str, Any]
"""current.json: contract, cab, month, version, uri, rows, columns and what the data team adds."""

_INTEGER, _NUMBER, _TIME = "an integer", "a number", "a time without time zone"

COLUMNS: Mapping[str, str] = {
    "pickup_at": _TIME,
    "pickup_zone": _INTEGER,
    "dropoff_zone": _INTEGER,
    "weekday": _INTEGER,
    "duration_minutes": _NUMBER,
}
"""The columns that the flows must have, and what each must be."""

HOLIDAY, BOROUGH, MILES = "holiday", "pickup_borough", "trip_distance_miles"
HISTORY = ("pair_trips", "pair_median_minutes", "pair_median_miles")
"""What months before say of the pair of zones; null in a month that has none before it."""

OPTIONAL = (HOLIDAY, BOROUGH, MILES, *HISTORY)
"""Columns that are read where they are there; MILES is known only after the trip."""


def check_manifest(manifest: Any, uri: str, *, cab: str, month: str) -> Manifest:
    """The manifest, if it is what both teams agreed on.

    Raises:
        InputError: naming the URI and the field or column.
    """
    if not isinstance(manifest, dict):
        raise InputError(f"{uri} holds no JSON object.")
    if manifest.get("contract") not in CONTRACTS:
        raise InputError(
            f"{uri} follows contract {manifest.get('contract')!r}; these flows read "
            f"{' and '.join(map(str, CONTRACTS))}. "
            "Publish the dataset again, or deploy flows that know that contract."
        )
    for field in ("cab", "month", "version", "uri", "rows", "columns"):
        if field not in manifest:
            raise InputError(f"{uri} has no field {field!r}.")
    for field, wanted in (("cab", cab), ("month", month)):
        if manifest[field] != wanted:
            raise InputError(f"{uri} says {field} {manifest[field]!r}, not {wanted!r}.")
    if not manifest["rows"]:
        raise InputError(f"{uri}: version {manifest['version']} of {month} has no rows.")
    check_columns(manifest["columns"], uri)
    return manifest


def check_columns(columns: Mapping[str, str], uri: str) -> None:
    """Compare names and Polars types with what the flows read.

    Raises:
        InputError: naming the URI and each column that is missing or of a wrong type.
    """
    problems = []
    for name, wanted in COLUMNS.items():
        found = columns.get(name)
        if found is None:
            problems.append(f"column {name!r} is missing")
        elif not _is(str(found), wanted):
            problems.append(f"column {name!r} is {found}, not {wanted}")
    if problems:
        raise InputError(f"{uri} is not as agreed: {'; '.join(problems)}.")


def check_file(file: Mapping[str, Any], uri: str, *, size: int, sha256: str) -> None:
    """Compare a file with what its manifest says of it.

    Raises:
        InputError: other bytes lie there than were published.
    """
    for what, found in (("bytes", size), ("sha256", sha256)):
        if file.get(what, found) != found:
            raise InputError(
                f"{uri} is not what was published: {what} {found}, its manifest says "
                f"{file[what]}. Publish the month again."
            )


def made_up(manifest: Manifest) -> bool:
    """Whether its trips never happened: the data team's generator made them."""
    return bool(manifest.get("made_up", manifest.get("source") == "generator"))


def feature_version(manifest: Manifest) -> int:
    """Version of the features' schema; before there was one, the contract's."""
    return int((manifest.get("schema") or {"version": manifest["contract"]})["version"])


def tags(manifests: Iterable[Manifest]) -> set[str]:
    """What a run's tags say of the features that it reads: their schema, and each version."""
    return {
        tag
        for each in manifests
        for tag in (
            f"features-v{feature_version(each)}",
            f"features:{each['cab']}/{each['month']}@{each['version']}",
        )
    }


def _is(dtype: str, wanted: str) -> bool:
    if wanted == _INTEGER:
        return re.fullmatch(r"U?Int\d+", dtype) is not None
    if wanted == _NUMBER:
        return re.fullmatch(r"U?Int\d+|Float\d+", dtype) is not None
    return dtype.startswith("Datetime") and not re.search(r"time_zone='|, '[A-Z]", dtype)

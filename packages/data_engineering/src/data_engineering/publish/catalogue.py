"""What is published of a month, and of the months around it."""

from __future__ import annotations

import json
from typing import Any

from data_engineering.contract.months import check_cab, check_month
from data_engineering.publish.manifest import Manifest
from data_engineering.storage.objects import Storage
from data_engineering.trips.history import MONTHS

SWEPT = {"swept": True}
"""The dataset.json of a version that was abandoned, while it is removed."""

_HISTORY_REACH = 12  # months
_AROUND = 3  # months


def month_folder(cab: str, month: str) -> str:
    """Return the key of the folder with a month's versions."""
    return f"features/{check_cab(cab)}/{check_month(month)}"


def read_manifest(storage: Storage, key: str) -> Manifest | None:
    """Return a manifest, or None if there is none."""
    found = storage.get(key)
    return None if found is None else json.loads(found)


def current(storage: Storage, cab: str, month: str) -> Manifest | None:
    """Return what current.json says of that month, or None if nothing is published."""
    return read_manifest(storage, f"{month_folder(cab, month)}/current.json")


def lost(storage: Storage, content: Manifest) -> str | None:
    """Return the URI of a file of that version which is not there as published, or None."""
    for facts in content.get("files", {}).values():
        stat = storage.stat(key_of(storage, facts["uri"]))
        if stat is None or stat.size != facts["bytes"]:
            return str(facts["uri"])
    return None


def earlier_months(storage: Storage, cab: str, month: str) -> list[Manifest]:
    """Return the manifests of the published months that history is made of, the latest first."""
    first = _shifted(month, -_HISTORY_REACH)
    months = [m for m in storage.folders(f"features/{cab}") if first <= m < month]
    found: list[Manifest] = []
    for each in sorted(months, reverse=True):
        content = current(storage, cab, each)
        if content is not None and "pairs" in content.get("files", {}):
            found.append(content)
        if len(found) == MONTHS:
            break
    return found


def rows_around(storage: Storage, cab: str, month: str) -> dict[str, int]:
    """Return {month: rows} of the published months near this one, itself left out."""
    low, high = _shifted(month, -_AROUND), _shifted(month, _AROUND)
    near = [m for m in storage.folders(f"features/{cab}") if low <= m <= high and m != month]
    found = {each: current(storage, cab, each) for each in near}
    return {each: content["rows"] for each, content in found.items() if content}


def is_whole(storage: Storage, folder: str) -> bool:
    """Tell whether the version in that folder was finished by its publisher."""
    found: Any = read_manifest(storage, f"{folder}/dataset.json")
    return found is not None and found != SWEPT


def key_of(storage: Storage, uri: str) -> str:
    """Return the key of a URI that the storage gave out."""
    return uri.removeprefix(storage.uri(""))


def _shifted(month: str, by: int) -> str:
    count = int(month[:4]) * 12 + int(month[5:]) - 1 + by
    return f"{count // 12}-{count % 12 + 1:02}"

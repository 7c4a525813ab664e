"""Removes old versions of predictions: `python -m ml_flows.prune --keep N [--dry-run]`.

Of each month, of each branch, and of made-up trips, the N newest stay, and the one that
current.json names. A version younger than an hour may be one whose current.json is to come.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ml_flows import storage
from ml_flows.errors import InputError, StorageUnavailableError
from ml_flows.publish import MADE_UP
from ml_flows.settings import PREDICTIONS_ROOT, ROOT

_VERSION = re.compile(
    r"(?P<month>.+/[^/]+/\d{4}-\d{2})/(?P<version>\d{8}T\d{12}Z-[0-9a-f]{8})/predictions\.parquet"
)
_YOUNG = timedelta(hours=1)


def prune(root: str, keep: int, *, dry_run: bool = False) -> list[str]:
    """Remove versions beyond the newest ones of each month; their URIs.

    Raises:
        InputError: no bucket or no access. StorageUnavailableError: the server does not answer.
    """
    before = datetime.now(UTC) - _YOUNG
    months: dict[str, list[tuple[str, str, datetime]]] = {}
    for uri, written in storage.listed(root):
        if found := _VERSION.fullmatch(uri):
            months.setdefault(found["month"], []).append((found["version"], uri, written))
    removed = []
    for month, versions in sorted(months.items()):
        current = _current(month)
        old = sorted(versions, reverse=True)[keep:]
        removed += [uri for name, uri, at in old if name != current and at < before]
    if not dry_run:
        for uri in removed:
            storage.remove(uri)
    return removed


def main(arguments: Sequence[str] | None = None) -> int:
    """Prune, and say what went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=int, required=True, help="versions of each month that stay")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    options = parser.parse_args(arguments)
    if options.keep < 1:
        parser.error("--keep must be 1 or more: readers read the current one")
    try:
        removed = [
            uri
            for root in (PREDICTIONS_ROOT, f"{ROOT}/{MADE_UP}/predictions")
            for uri in prune(root, options.keep, dry_run=options.dry_run)
        ]
    except (InputError, StorageUnavailableError) as error:
        print(error, file=sys.stderr)
        return 1
    would = "would be removed" if options.dry_run else "removed"
    for uri in removed:
        print(f"{uri} {would}")
    print(f"{len(removed)} versions {would}")
    return 0


def _current(month: str) -> str | None:
    try:
        return str(storage.read_json(f"{month}/current.json")["version"])
    except storage.NoObjectError:
        return None


if __name__ == "__main__":
    sys.exit(main())

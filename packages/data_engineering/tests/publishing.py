"""What tests publish, and what readers see of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import polars as pl
from data_engineering.contract.plausible import Limits
from data_engineering.publish.manifest import Provenance
from data_engineering.publish.versions import Published
from data_engineering.storage.objects import Storage

BASE = "features/green/2024-01"
MADE_OF = Provenance("path", "/data/green_tripdata_2024-01.parquet", "ab" * 32)
# Everything is older than in a second: a file is dated by ticks, and two writes may share one.
NOW = timedelta(seconds=-1)
Publish = Callable[..., Published]

LOOSE = Limits(min_rows_ratio=0, max_rows_ratio=1000, max_missing_days=31)


def read(storage: Storage, content: dict[str, Any], file: str = "features") -> pl.DataFrame:
    """Read a file of a version, and verify it as readers do."""
    facts = content["files"][file]
    found = storage.get(facts["uri"].removeprefix(storage.uri("")))
    assert found is not None, f"{facts['uri']} is missing"
    assert len(found) == facts["bytes"]
    assert hashlib.sha256(found).hexdigest() == facts["sha256"]
    frame = pl.read_parquet(found)
    assert frame.height == facts["rows"]
    return frame


def names(storage: Storage) -> list[str]:
    """Return the folders that hold something: SeaweedFS shows those that held something, too."""
    below = (key.removeprefix(f"{BASE}/") for key in storage.keys(BASE))
    return sorted({key.partition("/")[0] for key in below if "/" in key})

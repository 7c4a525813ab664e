"""Who is taken for dead, and what becomes of what it left."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from data_engineering.errors import UnavailableError
from data_engineering.publish import versions
from data_engineering.publish.catalogue import current
from data_engineering.publish.manifest import version_name
from data_engineering.publish.versions import Published, sweep
from data_engineering.storage.objects import Storage

from .publishing import BASE, NOW, Publish, names, read


def test_abandoned_versions_are_swept_and_nothing_else(
    storage: Storage, published: Publish
) -> None:
    whole = published(62).manifest
    abandoned = version_name(datetime.now(UTC), "00000000")
    for name in (abandoned, "notes-of-somebody"):
        storage.put(f"{BASE}/{name}/features.parquet", b"half")
    other_month = f"features/green/2024-02/{abandoned}/features.parquet"
    storage.put(other_month, b"half")
    published(63)
    assert {abandoned, whole["version"], "notes-of-somebody"} < set(names(storage))
    assert sweep(storage, BASE, NOW) == [abandoned]
    assert storage.keys("features/green/2024-02") == [other_month]
    assert names(storage).count(abandoned) == 0
    assert read(storage, whole).height == 62


@pytest.mark.parametrize("hours", [-30, -1.1, 1.1, 30])
def test_a_publishers_clock_decides_nothing(
    storage: Storage, published: Publish, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    """Somebody publishes the same month while a publisher whose clock is off is at work."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(hours=hours)

    others: list[Published] = []
    claim = versions._claim

    def meanwhile(*given: Any) -> None:
        monkeypatch.setattr(versions, "_claim", claim)
        monkeypatch.setattr(versions, "datetime", datetime)
        others.append(published(63))
        claim(*given)

    monkeypatch.setattr(versions, "datetime", Clock)
    monkeypatch.setattr(versions, "_claim", meanwhile)
    first = None
    # In S3 the later one sees that current.json is not what it began with.
    with contextlib.suppress(UnavailableError):
        first = published(62)
    shown = current(storage, "green", "2024-01")
    assert shown in [each.manifest for each in (*others, first) if each]
    assert shown is not None
    assert read(storage, shown).height == shown["rows"]
    if first:
        assert read(storage, first.manifest).height == 62


def test_a_publisher_that_was_taken_for_dead_shows_nothing(
    storage: Storage, published: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = published(62).manifest
    claim = versions._claim

    def after_a_long_sleep(storage: Storage, folder: str, content: dict[str, Any]) -> None:
        assert sweep(storage, BASE, NOW) == [folder.rpartition("/")[2]]
        claim(storage, folder, content)

    monkeypatch.setattr(versions, "_claim", after_a_long_sleep)
    with pytest.raises(UnavailableError, match="took this one for dead"):
        published(63)
    assert current(storage, "green", "2024-01") == before
    assert names(storage) == [before["version"]]

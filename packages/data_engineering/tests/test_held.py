"""Months that are not plausible: held back, judged again, published by command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from data_engineering.errors import DataError
from data_engineering.publish.catalogue import current
from data_engineering.publish.versions import Published, publish, publish_held
from data_engineering.storage.objects import Storage

from .publishing import LOOSE, MADE_OF, Publish, names, read
from .trips_files import opened, row, table, write


def held(storage: Storage, tmp_path: Path) -> Published:
    path = write(tmp_path, table([row()]))
    return publish(storage, "green", "2024-01", opened(path), MADE_OF)


def test_a_month_that_is_not_plausible_is_held_back_and_one_command_publishes_it(
    storage: Storage, published: Publish, tmp_path: Path
) -> None:
    before = published(62).manifest
    result = held(storage, tmp_path)
    assert result.state == "held"
    assert result.manifest["doubts"] == ["30 days have no trip: 1-14, 16-31 (1 at most)"]
    assert current(storage, "green", "2024-01") == before
    assert read(storage, result.manifest).height == 1
    assert held(storage, tmp_path).manifest == result.manifest
    assert len(names(storage)) == 2
    shown = publish_held(storage, "green", "2024-01")
    assert current(storage, "green", "2024-01") == shown == result.manifest
    with pytest.raises(DataError, match="no version of green 2024-01 is held back"):
        publish_held(storage, "green", "2024-01")
    assert held(storage, tmp_path).state == "unchanged"


def test_a_held_month_is_judged_again_when_the_limits_are_others(
    storage: Storage, tmp_path: Path
) -> None:
    first = held(storage, tmp_path)
    path = write(tmp_path, table([row()]))
    again = publish(storage, "green", "2024-01", opened(path), MADE_OF, LOOSE)
    assert (again.state, again.manifest["version"]) == ("published", first.manifest["version"])


def test_made_up_months_are_not_doubted(storage: Storage, tmp_path: Path) -> None:
    path = write(tmp_path, table([row()]))
    made_of = replace(MADE_OF, source="generator")
    result = publish(storage, "green", "2024-01", opened(path), made_of)
    assert (result.state, result.manifest["made_up"]) == ("published", True)

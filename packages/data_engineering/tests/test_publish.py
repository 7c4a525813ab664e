"""Readers see all of a dataset version or none of it, whatever happens to its publisher."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from data_engineering.contract.frames import FEATURES, QUARANTINE
from data_engineering.errors import DataError
from data_engineering.publish import build
from data_engineering.publish.catalogue import current
from data_engineering.publish.manifest import made_from, version_name
from data_engineering.publish.versions import Published, publish
from data_engineering.storage.objects import Storage
from data_engineering.trips.features import features

from .publishing import BASE, LOOSE, MADE_OF, Publish, names, read
from .trips_files import opened, row, table, whole_month, write


def test_a_published_month_can_be_read_from_current_json_alone(
    storage: Storage, tmp_path: Path
) -> None:
    assert current(storage, "green", "2024-01") is None
    path = write(tmp_path, table(whole_month(row(trip_distance=0.0, PULocationID=265))))
    result = publish(storage, "green", "2024-01", opened(path), MADE_OF)
    content = result.manifest
    assert result.state == "published"
    assert json.loads(storage.get(f"{BASE}/current.json") or b"") == content
    assert dict(read(storage, content).schema) == FEATURES
    assert dict(read(storage, content, "quarantine").schema) == QUARANTINE
    shown = {name: content[name] for name in ("contract", "cab", "month", "source", "source_uri")}
    assert shown == {
        "contract": 2,
        "cab": "green",
        "month": "2024-01",
        "source": "path",
        "source_uri": "/data/green_tripdata_2024-01.parquet",
    }
    assert (content["rows_read"], content["rows_kept"], content["rows"]) == (63, 62, 62)
    assert content["set_aside"]["zero_distance"] == 1
    assert content["noted"] == {"null_passenger_count": 0, "non_positive_fare": 0}
    assert content["columns"]["pickup_zone"] == "Int16"
    assert content["made_up"] is False
    assert content["history"] == []
    assert datetime.fromisoformat(content["created"]) <= datetime.now(UTC)
    assert re.fullmatch(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}", content["version"])
    folder = storage.uri(f"{BASE}/{content['version']}")
    assert content["uri"] == content["files"]["features"]["uri"] == f"{folder}/features.parquet"
    schema = json.loads(storage.get(f"{BASE}/{content['version']}/schema.json") or b"")
    assert content["schema"] == {"version": 2, "uri": f"{folder}/schema.json"}
    assert {n: about["type"] for n, about in schema["columns"].items()} == content["columns"]


def test_the_manifest_has_a_page_for_each_reason(storage: Storage, tmp_path: Path) -> None:
    bad = [row(trip_distance=0.0)] * 6 + [row(trip_distance=0.0, DOLocationID=265)]
    path = write(tmp_path, table(whole_month(*bad)))
    content = publish(storage, "green", "2024-01", opened(path), MADE_OF).manifest
    page = content["reasons"]["zero_distance"]
    assert (page["rows"], page["only"], len(page["examples"])) == (7, 1, 5)
    assert page["examples"][0]["source_row"] == 62
    assert page["examples"][0]["pickup_at"].startswith("2024-01-15")
    assert content["reasons"]["duplicate"]["rows"] == 5
    assert content["reasons"]["unknown_zone"] == {
        "rows": 1,
        "only": 0,
        "meaning": "from or to no known zone (264, 265 or none)",
        "examples": content["reasons"]["unknown_zone"]["examples"],
    }
    aside = read(storage, content, "quarantine")
    assert aside["reasons"].to_list()[-1] == ["zero_distance", "unknown_zone"]
    for reason, about in content["reasons"].items():
        has = aside.filter(pl.col("reasons").list.contains(reason))
        assert about["rows"] == has.height, reason
        assert about["only"] == has.filter(pl.col("reasons").list.len() == 1).height, reason
    assert content["rows_read"] == content["rows"] + aside.height


def test_old_versions_stay_and_the_new_one_is_current(storage: Storage, published: Publish) -> None:
    made = [published(rows).manifest for rows in (62, 63, 64)]
    assert names(storage) == sorted(each["version"] for each in made)
    assert [read(storage, each).height for each in made] == [62, 63, 64]
    assert current(storage, "green", "2024-01") == made[-1]


def test_the_same_file_a_second_time_changes_nothing(storage: Storage, published: Publish) -> None:
    first = published(62)
    objects = storage.stats("")
    again = published(62)
    assert (first.state, again.state) == ("published", "unchanged")
    assert again.manifest == first.manifest
    assert storage.stats("") == objects


def test_a_version_whose_file_is_gone_is_made_again(storage: Storage, published: Publish) -> None:
    first = published(62).manifest
    storage.delete(f"{BASE}/{first['version']}/features.parquet")
    again = published(62)
    assert again.state == "published"
    assert read(storage, again.manifest).height == 62


def test_months_and_cabs_do_not_touch_each_other(storage: Storage, published: Publish) -> None:
    one = published(62).manifest
    storage.put("features/yellow/2024-01/current.json", b"{}")
    storage.put("features/green/2024-02/current.json", b"{}")
    published(63)
    assert storage.get("features/yellow/2024-01/current.json") == b"{}"
    assert storage.get("features/green/2024-02/current.json") == b"{}"
    assert current(storage, "green", "2024-01") != one


def test_a_version_is_named_after_its_time_and_what_it_is_made_of() -> None:
    noon = datetime(2024, 1, 2, 12, tzinfo=UTC)
    of = made_from(MADE_OF, [])
    name = version_name(noon, of)
    assert name.startswith("20240102T120000.000000Z-")
    assert of == made_from(replace(MADE_OF, source_uri="/elsewhere"), [])
    assert of != made_from(replace(MADE_OF, sha256="cd" * 32), [])
    assert of != made_from(MADE_OF, [{"month": "2023-12", "version": "v"}])
    assert name < version_name(noon + timedelta(microseconds=1), of)


def test_a_version_that_fails_is_never_seen_and_leaves_nothing(
    storage: Storage, published: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = published(62).manifest
    made = features

    def failing(trips: pl.DataFrame, history: Any) -> pl.DataFrame:
        if trips.height < 1_000:
            raise RuntimeError("in the middle")
        return made(trips, history)

    monkeypatch.setattr(build, "features", failing)
    with pytest.raises(RuntimeError, match="in the middle"):
        published(63)
    monkeypatch.setattr(build, "features", lambda *given: made(*given).drop("hour"))
    with pytest.raises(DataError, match="is agreed"):
        published(63)
    assert current(storage, "green", "2024-01") == before
    assert names(storage) == [before["version"]]


def test_readers_never_see_half_a_version(storage: Storage, published: Publish) -> None:
    """Read as fast as possible while versions come, each of another size and mark."""
    published(31, passenger_count=1.0)
    ended = threading.Event()
    seen: set[int] = set()
    wrong: list[str] = []

    def reader() -> None:
        while not ended.is_set():
            content = current(storage, "green", "2024-01")
            if content is None:
                wrong.append("current.json was gone")
                continue
            frame = read(storage, content)
            seen.add(frame.height)
            if frame["passenger_count"].unique().to_list() != [content["rows"] - 30]:
                wrong.append(f"{content['uri']} is not what current.json says")

    thread = threading.Thread(target=reader)
    thread.start()
    try:
        for mark in range(2, 9):
            published(30 + mark, passenger_count=float(mark))
    finally:
        ended.set()
        thread.join(30)
    assert not thread.is_alive()
    assert wrong == []
    assert len(seen) > 1


def test_history_is_of_the_months_that_are_published(storage: Storage, tmp_path: Path) -> None:
    def month(number: int, distance: float) -> Published:
        shifted = [
            {
                **trip,
                "trip_distance": distance,
                **{
                    name: trip[name].replace(month=number)
                    for name in ("lpep_pickup_datetime", "lpep_dropoff_datetime")
                },
            }
            for trip in whole_month()
            if trip["lpep_pickup_datetime"].day < 29
        ]
        path = write(tmp_path, table(shifted), f"{number}.parquet")
        made_of = replace(MADE_OF, sha256=f"{number}{distance}")
        return publish(storage, "green", f"2024-0{number}", opened(path), made_of, LOOSE)

    first, second, fourth = month(1, 2.0), month(2, 4.0), month(4, 9.0)
    assert first.manifest["history"] == []
    assert read(storage, first.manifest)["pair_trips"].null_count() == first.manifest["rows"]
    assert second.manifest["history"] == [
        {"month": "2024-01", "version": first.manifest["version"]}
    ]
    (trips,) = read(storage, second.manifest)["pair_trips"].unique()
    assert trips == first.manifest["rows"]
    assert [each["month"] for each in fourth.manifest["history"]] == ["2024-02", "2024-01"]
    (miles,) = read(storage, fourth.manifest)["pair_median_miles"].unique()
    assert miles == pytest.approx(3.0, rel=0.1)
    # A later month is no history, and the same month twice is unchanged.
    assert month(1, 2.0).state == month(4, 9.0).state == "unchanged"

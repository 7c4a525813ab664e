"""Readers see all of a dataset version or none of it, whatever happens to its publisher."""

from __future__ import annotations

import itertools
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from data_engineering.contract import NOTED, REASONS
from data_engineering.errors import DataError, UnavailableError
from data_engineering.features import schema
from data_engineering.publish import Provenance, current, publish, sweep, version_of
from data_engineering.storage import Storage, open_storage
from data_engineering.validate import Tally
from s3_server import S3Server

BASE = "features/green/2024-01"
MADE_OF = Provenance("path", "/data/green_tripdata_2024-01.parquet", "ab" * 32)
HOUR = timedelta(hours=1)


def table(rows: int, marked: int = 0) -> pl.LazyFrame:
    """Features of so many trips; day_of_month carries a mark."""
    one = {name: 1 if dtype.is_numeric() else None for name, dtype in schema().items()}
    frame = pl.LazyFrame([one], schema=schema()).select(pl.all().repeat_by(rows).explode())
    return frame.with_columns(pl.lit(marked, pl.Int8).alias("day_of_month"))


def counts(rows: int) -> Tally:
    return Tally(
        rows_read=rows + 2,
        rows_kept=rows,
        set_aside=dict.fromkeys(REASONS, 0) | {"too_long": 2},
        noted=dict.fromkeys(NOTED, 0),
        dirt=dict.fromkeys([*REASONS, *NOTED], 0),
    )


def read(storage: Storage, content: dict[str, Any]) -> pl.DataFrame:
    return pl.read_parquet(content["uri"], storage_options=storage.polars_options)


def versions(storage: Storage) -> list[str]:
    return sorted({key.split("/")[3] for key in storage.keys(f"{BASE}/") if key.count("/") > 3})


def test_a_published_month_can_be_read_from_current_json_alone(storage: Storage) -> None:
    assert current(storage, "green", "2024-01") is None
    content = publish(storage, "green", "2024-01", table(10), counts(10), MADE_OF)
    assert json.loads(storage.get(f"{BASE}/current.json") or b"") == content
    assert read(storage, content).shape == (10, len(schema()))
    shown = {name: content[name] for name in ("contract", "cab", "month", "source", "source_uri")}
    assert shown == {
        "contract": 1,
        "cab": "green",
        "month": "2024-01",
        "source": "path",
        "source_uri": "/data/green_tripdata_2024-01.parquet",
    }
    assert (content["rows_read"], content["rows_kept"], content["rows"]) == (12, 10, 10)
    assert content["set_aside"]["too_long"] == 2
    assert content["noted"] == {"null_passenger_count": 0, "non_positive_fare": 0}
    assert content["columns"]["pickup_zone"] == "Int16"
    assert datetime.fromisoformat(content["created"]) <= datetime.now(UTC)
    assert re.fullmatch(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}", content["version"])
    assert content["uri"] == storage.uri(f"{BASE}/{content['version']}/features.parquet")


def test_old_versions_stay_and_the_new_one_is_current(storage: Storage) -> None:
    made = [
        publish(storage, "green", "2024-01", table(rows, rows), counts(rows), MADE_OF)
        for rows in (3, 4, 5)
    ]
    assert versions(storage) == sorted(each["version"] for each in made)
    assert [read(storage, each).height for each in made] == [3, 4, 5]
    assert current(storage, "green", "2024-01") == made[-1]


def test_months_and_cabs_do_not_touch_each_other(storage: Storage) -> None:
    one = publish(storage, "green", "2024-01", table(1), counts(1), MADE_OF)
    other = publish(storage, "yellow", "2024-01", table(2), counts(2), MADE_OF)
    later = publish(storage, "green", "2024-02", table(3), counts(3), MADE_OF)
    assert current(storage, "green", "2024-01") == one
    assert current(storage, "yellow", "2024-01") == other
    assert current(storage, "green", "2024-02") == later


def test_a_version_is_named_after_its_time_and_its_input() -> None:
    noon = datetime(2024, 1, 2, 12, tzinfo=UTC)
    name = version_of(noon, MADE_OF)
    assert name.startswith("20240102T120000.000000Z-")
    assert name == version_of(noon, replace(MADE_OF, source_uri="/elsewhere"))
    assert name != version_of(noon, replace(MADE_OF, sha256="cd" * 32))
    assert name < version_of(noon + timedelta(microseconds=1), MADE_OF)


def failing(rows: int) -> pl.LazyFrame:
    """Raise after some of the rows."""
    seen = itertools.count()

    def fail(batch: pl.DataFrame) -> pl.DataFrame:
        if next(seen) >= 1:
            raise RuntimeError("in the middle")
        return batch

    parts = pl.concat([table(rows).collect().lazy() for _ in range(4)])
    return parts.map_batches(fail, streamable=True)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda: table(9), "has 9 rows of .* but 10 rows of"),
        (lambda: table(10).drop("hour"), "were to be written"),
        (lambda: table(10).with_columns(pl.col("hour").cast(pl.Int64)), "were to be written"),
        (lambda: failing(200_000), "in the middle"),
    ],
    ids=["rows", "column", "type", "middle"],
)
def test_a_version_that_fails_is_never_seen_and_leaves_nothing(
    storage: Storage, broken, said: str
) -> None:
    before = publish(storage, "green", "2024-01", table(5), counts(5), MADE_OF)
    with pytest.raises((DataError, RuntimeError), match=said):
        publish(storage, "green", "2024-01", broken(), counts(10), MADE_OF)
    assert current(storage, "green", "2024-01") == before
    assert versions(storage) == [before["version"]]


def test_readers_never_see_half_a_version(storage: Storage) -> None:
    """Read as fast as possible while ten versions come, each of another size and mark."""
    publish(storage, "green", "2024-01", table(1, 1), counts(1), MADE_OF)
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
            if frame["day_of_month"].unique().to_list() != [content["rows"]]:
                wrong.append(f"{content['uri']} is not what current.json says")

    thread = threading.Thread(target=reader)
    thread.start()
    try:
        for rows in range(2, 12):
            publish(storage, "green", "2024-01", table(rows, rows), counts(rows), MADE_OF)
    finally:
        ended.set()
        thread.join(30)
    assert not thread.is_alive()
    assert wrong == []
    assert len(seen) > 1


def test_abandoned_versions_are_swept_and_nothing_else(storage: Storage) -> None:
    now = datetime.now(UTC)
    whole = publish(storage, "green", "2024-01", table(1), counts(1), MADE_OF)
    old, young = (version_of(now - age, MADE_OF) for age in (2 * HOUR, HOUR / 2))
    for name in (old, young, "notes-of-somebody"):
        storage.put(f"{BASE}/{name}/features.parquet", b"half")
    other_month = f"features/green/2024-02/{old}/features.parquet"
    storage.put(other_month, b"half")
    publish(storage, "green", "2024-01", table(2), counts(2), MADE_OF)
    left = versions(storage)
    assert old not in left
    assert {young, whole["version"], "notes-of-somebody"} < set(left)
    assert storage.keys(other_month) == [other_month]
    assert sweep(storage, BASE, now + HOUR) == [young]
    assert read(storage, whole).height == 1


PUBLISHER = """
import sys, itertools
sys.path.insert(0, {tests!r})
import polars as pl
from data_engineering.publish import Provenance, publish
from data_engineering.storage import open_storage
from data_engineering.validate import Tally
rows = 400_000
big = pl.read_parquet({big!r})
tally = Tally(rows, rows, {{}}, {{}}, {{}})
for n in itertools.count():
    print("begin", flush=True)
    publish(open_storage({root!r}), "green", "2024-01", big.lazy(), tally,
            Provenance("path", "killed", str(n)))
"""


def wait_for_line(process: subprocess.Popen[str], seconds: float) -> None:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], seconds)
    assert ready, f"the publisher did not begin within {seconds} s"
    assert process.stdout.readline() == "begin\n", "the publisher ended"


@pytest.mark.parametrize("moment", [0.02, 0.06, 0.12, 0.25, 0.4])
def test_a_killed_publisher_leaves_readers_with_a_whole_version(
    storage: Storage, tmp_path: Path, moment: float
) -> None:
    first = publish(storage, "green", "2024-01", table(5), counts(5), MADE_OF)
    rows = 400_000
    noise = pl.int_range(rows).shuffle(seed=1).cast(pl.Float32)
    big = tmp_path / "big.parquet"
    table(rows).with_columns(noise.alias("fare_dollars")).collect().write_parquet(big)
    root = storage.uri("").rstrip("/")
    script = PUBLISHER.format(tests=str(Path(__file__).parent), big=str(big), root=root)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        try:
            wait_for_line(process, 60)
            time.sleep(moment)  # the moment of the crash is what this test varies
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
    shown = current(storage, "green", "2024-01")
    assert shown is not None
    assert read(storage, shown).height == shown["rows"]
    assert shown == first or shown["source_uri"] == "killed"
    sweep(storage, BASE, datetime.now(UTC) + HOUR)
    whole = {key.split("/")[3] for key in storage.keys(f"{BASE}/") if key.endswith("dataset.json")}
    assert set(versions(storage)) == whole
    assert {first["version"], shown["version"]} <= whole


class Proxy:
    """Passes connections on to the S3 server until it is cut."""

    def __init__(self, target: str) -> None:
        host, port = target.removeprefix("http://").split(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                inner, _ = self._listener.accept()
            except OSError:
                return  # cut
            outer = socket.create_connection(self._target)
            self._open += [inner, outer]
            for one, other in ((inner, outer), (outer, inner)):
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while part := source.recv(65536):
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return  # cut

    def close(self) -> None:
        """Break every connection and take no more."""
        for each in (self._listener, *self._open):
            with closing(each):
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # it had ended by itself


@pytest.fixture
def proxy(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with closing(Proxy(s3.url)) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        yield running


def test_a_server_that_dies_in_the_middle_may_come_back(
    s3: S3Server, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = f"s3://{s3.bucket}/{tmp_path.name}"
    before = publish(open_storage(root), "green", "2024-01", table(5), counts(5), MADE_OF)

    def cut(batch: pl.DataFrame) -> pl.DataFrame:
        proxy.close()
        return batch

    dying = table(10).collect().lazy().map_batches(cut, streamable=True)
    with pytest.raises(UnavailableError, match=r"writing s3://.*the storage failed"):
        publish(open_storage(root), "green", "2024-01", dying, counts(10), MADE_OF)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    again = open_storage(root)
    assert current(again, "green", "2024-01") == before
    after = publish(again, "green", "2024-01", table(10), counts(10), MADE_OF)
    assert current(again, "green", "2024-01") == after
    assert read(again, after).height == 10

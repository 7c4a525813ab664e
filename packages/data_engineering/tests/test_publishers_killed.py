"""Publishers that are killed, and servers that go away while they write."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import polars as pl
import pytest
from data_engineering.errors import UnavailableError
from data_engineering.publish import build
from data_engineering.publish.catalogue import current
from data_engineering.publish.manifest import Provenance
from data_engineering.publish.versions import publish, sweep
from data_engineering.sources.generator import generate
from data_engineering.storage.objects import Storage
from data_engineering.trips.features import features
from data_engineering.trips.history import PairHistory
from s3_server import S3Server

from .publishing import BASE, LOOSE, NOW, names, read
from .trips_files import opened, table, whole_month, write

KILLS = int(os.environ.get("PUBLISHERS_KILLED", "6"))
SECONDS = 30.0 + 10 * KILLS

# Forks a publisher for each line it reads, so that a kill costs no start of Python. Nothing but
# imports has happened in the parent: no thread of Polars or obstore is lost by the fork.
PUBLISHERS = """
import os, sys
from data_engineering.publish.manifest import Provenance
from data_engineering.publish.versions import publish
from data_engineering.contract.plausible import Limits
from data_engineering.storage.objects import Storage
from data_engineering.trips.read import open_trips
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        storage = Storage({root!r})
        print("ready", os.getpid(), flush=True)
        n = 0
        while True:
            file = open_trips(lambda: open({file!r}, "rb"), "green", "it")
            publish(storage, "green", "2024-01", file, Provenance("path", "killed", line + str(n)),
                    Limits(max_set_aside=1, max_rows_ratio=1e9, max_missing_days=31))
            n += 1
            print("published", n, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


@contextmanager
def publishers(root: str, file: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the program that publishes until it is killed, and again for each line it is sent."""
    script = PUBLISHERS.format(root=root, file=str(file))
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def kill_at_random(root: str, file: Path) -> int:
    """Kill publishers of a file at random moments; return how many within the time there is."""
    rng = random.Random(7)  # noqa: S311 - no secret
    deadline = time.monotonic() + SECONDS
    kills = 0
    with publishers(root, file) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        seconds = 0.0
        while kills < KILLS and time.monotonic() < deadline:
            process.stdin.write(f"{kills}\n")
            process.stdin.flush()
            word, pid = process.stdout.readline().split()
            assert word == "ready"
            began = time.monotonic()
            if not kills:  # the first one shows how long a publication takes
                assert process.stdout.readline() == "published 1\n"
                seconds = time.monotonic() - began
            time.sleep(rng.uniform(0, 1.5) * seconds)  # the moment is what this test varies
            os.kill(int(pid), signal.SIGKILL)
            while (said := process.stdout.readline()) != "ended\n":
                assert said.startswith("published")
            kills += 1
    return kills


def test_publishers_killed_at_random_moments_leave_readers_with_whole_versions(
    storage: Storage, tmp_path: Path
) -> None:
    """kill -9 at random moments, while two read all the time.

    Set PUBLISHERS_KILLED for another number of kills than the few that CI has time for.
    """
    path = write(tmp_path, table(whole_month()))
    first = publish(storage, "green", "2024-01", opened(path), MADE_OF, LOOSE).manifest
    big = tmp_path / "big.parquet"
    generate(big, "green", "2024-01", rows=5_000, seed=0)
    ended = threading.Event()
    seen: set[str] = set()
    wrong: list[str] = []

    def reader() -> None:
        while not ended.is_set():
            content = current(storage, "green", "2024-01")
            try:
                assert content is not None
                for file in content["files"]:
                    read(storage, content, file)
                seen.add(content["version"])
            except AssertionError as error:
                wrong.append(str(error))
            ended.wait(0.02)

    readers = [threading.Thread(target=reader) for _ in range(2)]
    for each in readers:
        each.start()
    try:
        kills = kill_at_random(storage.root, big)
    finally:
        ended.set()
        for each in readers:
            each.join(30)
    assert wrong == []
    assert kills == KILLS, f"only {kills} of {KILLS} within {SECONDS:.0f} s"
    assert len(seen) > 1, "no publisher got to its end"
    sweep(storage, BASE, NOW)
    for name in names(storage):
        content = json.loads(storage.get(f"{BASE}/{name}/dataset.json") or b"{}")
        assert read(storage, content).height == content["rows"]
    assert first["version"] in names(storage)


MADE_OF = Provenance("path", "/data/green_tripdata_2024-01.parquet", hashlib.sha256().hexdigest())


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
            threading.Thread(target=self._passed, args=(inner,), daemon=True).start()

    def _passed(self, inner: socket.socket) -> None:
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
    path = write(tmp_path, table(whole_month()))
    before = publish(Storage(root), "green", "2024-01", opened(path), MADE_OF).manifest
    path = write(tmp_path, table(whole_month(a_day=3)))
    made_of = Provenance("path", "second", "cd" * 32)

    def cut(trips: pl.DataFrame, history: PairHistory) -> pl.DataFrame:
        proxy.close()
        return features(trips, history)

    monkeypatch.setattr(build, "features", cut)
    storage = Storage(root)
    with pytest.raises(UnavailableError, match="does not answer"):
        publish(storage, "green", "2024-01", opened(path), made_of)
    monkeypatch.setattr(build, "features", features)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    again = Storage(root)
    assert current(again, "green", "2024-01") == before
    after = publish(again, "green", "2024-01", opened(path), made_of).manifest
    assert current(again, "green", "2024-01") == after
    assert read(again, after).height == 93

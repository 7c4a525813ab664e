"""Downloads from a real HTTP server on this machine that behaves, breaks off, stalls or refuses."""

from __future__ import annotations

import hashlib
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from data_engineering.errors import BadInputError, UnavailableError
from data_engineering.sources.download import Patience, download, shown, unreachable

BODY = bytes(hashlib.shake_256(b"trips").digest(3_000_000))
QUICK = Patience(connect=1, read=0.5, tries=3, pause=0.01, progress_every=0.05)


class Server(ThreadingHTTPServer):
    """Serves BODY at /file; what else it does stands in these fields."""

    daemon_threads = True
    status = 200
    busy_first = 0
    """So many requests are answered 503 before the first good one."""
    cut_after: int | None = None
    """Close the connection after so many bytes of each answer."""
    cuts = 10**6
    """How many answers are cut; later ones are whole."""
    stall = 0.0
    """Seconds of silence before the answer."""
    trickle = 0.0
    """Seconds between pieces of 300 kB."""
    ranges = True
    tag: str | None = '"v1"'
    body = BODY
    swap_to: bytes | None = None
    """The file's next version, served after the first cut."""
    lie_about_range = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""

    def do_HEAD(self) -> None:
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(self.headers.get("Range"))
        if server.stall:
            time.sleep(server.stall)
        if len(server.asked) <= server.busy_first:
            return self.send_error(503)
        if server.status != 200:
            return self.send_error(server.status)
        body, start = server.body, 0
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and server.ranges and self.headers.get("If-Range") == server.tag:
            start = int(wanted[1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        if start:
            said = 0 if server.lie_about_range else start
            self.send_header("Content-Range", f"bytes {said}-{len(body) - 1}/{len(body)}")
        if server.tag:
            self.send_header("ETag", server.tag)
        self.end_headers()
        self.send(body[start:])
        return None

    def send(self, body: bytes) -> None:
        server = self.server
        if server.cut_after is not None and server.cuts > 0:
            server.cuts -= 1
            self.wfile.write(body[: server.cut_after])
            self.wfile.flush()
            if server.swap_to is not None:
                server.body, server.tag = server.swap_to, '"v2"'
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        for begin in range(0, len(body), 300_000):
            self.wfile.write(body[begin : begin + 300_000])
            time.sleep(server.trickle)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join(10)
    made.server_close()
    assert not thread.is_alive()


@contextmanager
def refused_port() -> Iterator[int]:
    """A port that nobody listens on: bound, but never listening."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def nothing_left(folder: Path) -> bool:
    return list(folder.iterdir()) == []


def test_a_file_arrives_whole_with_progress_in_the_log(server, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    server.trickle = 0.06
    download(server.url, tmp_path / "file", QUICK)
    assert (tmp_path / "file").read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert re.search(r"\d\.\d MB of 3\.0 MB \(\d+ %\), [\d.]+ MB/s", caplog.text)
    assert re.search(rf"{re.escape(server.url)}: 3\.0 MB in [\d.]+ s, [\d.]+ MB/s", caplog.text)


def test_a_cut_connection_is_resumed_where_it_broke(server, tmp_path):
    server.cut_after = 700_000
    download(server.url, tmp_path / "file", QUICK)
    assert (tmp_path / "file").read_bytes() == BODY
    # More cuts in all than tries: what counts is that each one brought the end nearer.
    starts = [int(asked[6:-1]) for asked in server.asked[1:] if asked]
    assert len(starts) == len(server.asked) - 1 == 4 > QUICK.tries
    assert starts == sorted(set(starts))
    assert starts[0] > 0


@pytest.mark.parametrize(
    "changes", [{"ranges": False}, {"tag": None}, {"tag": 'W/"weak"'}, {"lie_about_range": True}]
)
def test_a_server_that_cannot_resume_starts_again(server, tmp_path, changes):
    for name, value in changes.items():
        setattr(server, name, value)
    server.cut_after, server.cuts = 700_000, 2
    download(server.url, tmp_path / "file", QUICK)
    assert (tmp_path / "file").read_bytes() == BODY


def test_two_versions_of_a_file_are_never_mixed(server, tmp_path):
    server.cut_after, server.cuts, server.swap_to = 700_000, 1, BODY[::-1]
    download(server.url, tmp_path / "file", QUICK)
    assert (tmp_path / "file").read_bytes() == BODY[::-1]


def test_a_connection_that_breaks_at_the_same_byte_each_time_is_given_up(server, tmp_path):
    server.cut_after, server.ranges = 700_000, False
    with pytest.raises(UnavailableError, match=rf"{server.url} broke off after \d.* \(3 tries\)"):
        download(server.url, tmp_path / "file", QUICK)
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_final_and_names_the_url(server, tmp_path, status):
    server.status = status
    with pytest.raises(BadInputError, match=rf"^{server.url} answers {status} "):
        download(server.url, tmp_path / "file", QUICK)
    assert len(server.asked) == 1
    assert nothing_left(tmp_path)


def test_a_busy_server_is_asked_again(server, tmp_path):
    server.busy_first = 2
    download(server.url, tmp_path / "file", QUICK)
    assert (tmp_path / "file").read_bytes() == BODY
    assert len(server.asked) == 3


def test_a_server_out_of_order_is_given_up(server, tmp_path):
    server.status = 503
    with pytest.raises(BadInputError, match=r"cannot be reached: it answers 503 .* \(3 tries\)"):
        download(server.url, tmp_path / "file", QUICK)


def test_a_refused_connection_is_given_up_soon(tmp_path):
    began = time.monotonic()
    with refused_port() as port, pytest.raises(BadInputError) as raised:
        download(f"http://127.0.0.1:{port}/file", tmp_path / "file", QUICK)
    assert f"http://127.0.0.1:{port}/file cannot be reached" in str(raised.value)
    assert "refused" in str(raised.value)
    assert time.monotonic() - began < 5
    assert nothing_left(tmp_path)


def test_silence_is_given_up(server, tmp_path):
    server.stall = 1.5
    with pytest.raises(BadInputError, match=r"cannot be reached: no answer in time \(3 tries\)"):
        download(server.url, tmp_path / "file", QUICK)
    assert nothing_left(tmp_path)


def test_slow_is_not_silent(server, tmp_path):
    """Longer in all than the longest silence allowed, but never silent so long."""
    server.trickle = 0.1
    began = time.monotonic()
    download(server.url, tmp_path / "file", QUICK)
    assert time.monotonic() - began > QUICK.read
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_name_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(BadInputError, match=r"http://no\.such\.host\.invalid/f cannot be reached"):
        download("http://no.such.host.invalid/f", tmp_path / "file", QUICK)


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    with pytest.raises(BadInputError, match=r"writing .*/nowhere/file\.part: there is no such"):
        download(server.url, tmp_path / "nowhere" / "file", QUICK)


@pytest.mark.parametrize(("status", "reason"), [(200, None), (404, None), (503, "it answers 503")])
def test_a_server_that_answers_can_be_reached(server, status, reason):
    server.status = status
    assert unreachable(server.url, QUICK) == reason


def test_a_server_that_does_not_listen_cannot_be_reached():
    with refused_port() as port:
        assert "refused" in (unreachable(f"http://127.0.0.1:{port}/file", QUICK) or "")


def test_secrets_in_a_url_are_not_shown():
    secret = "https://user:password@host.example:8443/a/b.parquet?X-Amz-Signature=abc#frag"
    assert shown(secret) == "https://host.example:8443/a/b.parquet"

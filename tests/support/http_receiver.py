"""A real HTTP server that keeps what it is sent, and answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """A request: its path, and its body as JSON."""

    path: str
    body: Any


@dataclass
class Receiver:
    """What came; status: the answer to every request."""

    url: str = ""
    status: int = 200
    received: list[Received] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def keep(self, request: Received) -> None:
        """Add a request."""
        with self._changed:
            self.received.append(request)
            self._changed.notify_all()

    def wait_for(
        self, wanted: Callable[[Received], bool], what: str, *, within: float = 60
    ) -> Received:
        """The first request that is wanted; fails with what came instead."""

        def found() -> Received | None:
            return next(filter(wanted, self.received), None)

        with self._changed:
            request = self._changed.wait_for(found, timeout=within)
        assert request, f"no {what} within {within} s; what came: {self.received}"
        return request


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A server on this machine, until the end of the block."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            receiver.keep(Received(self.path, json.loads(body or b"null")))
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing: the test says what is missing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

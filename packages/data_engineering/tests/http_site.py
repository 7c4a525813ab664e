"""A real HTTP server on 127.0.0.1 that serves bytes, parts of them, and trouble when told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What the server has, and what it was asked.

    `statuses` are answered, one a GET, before anything is served; `cuts` are byte counts after
    which it breaks off, one a GET; `silent` lets it take requests and say nothing.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    status_of_missing: int = 404
    silent: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    tag: str = '"one"'

    def gets(self) -> list[str | None]:
        """Return the Range header of each GET."""
        return [span for method, _, span in self.asked if method == "GET"]


@contextmanager
def site() -> Iterator[Site]:
    """Run the server until the block ends."""
    served = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer("HEAD")

        def do_GET(self) -> None:
            self._answer("GET")

        def log_message(self, format: str, *args: object) -> None:
            """Stay quiet; `asked` has it all."""

        def _answer(self, method: str) -> None:
            path = self.path.partition("?")[0]
            served.asked.append((method, path, self.headers.get("Range")))
            if served.silent.is_set():
                served.ended.wait(60)
                self.close_connection = True
                return
            body = served.files.get(path)
            if path in served.redirects:
                self._plain(302, Location=served.redirects[path])
            elif method == "GET" and served.statuses:
                self._plain(served.statuses.pop(0))
            elif body is None:
                self._plain(served.status_of_missing)
            else:
                self._send(body, method)

        def _plain(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send(self, body: bytes, method: str) -> None:
            span = self.headers.get("Range")
            first = 0
            if span and self.headers.get("If-Range") == served.tag:
                first = int(span.removeprefix("bytes=").rstrip("-"))
            self.send_response(206 if first else 200)
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
            self.send_header("ETag", served.tag)
            self.send_header("Content-Length", str(len(body) - first))
            self.end_headers()
            if method == "HEAD":
                return
            part = body[first:]
            if served.cuts:
                part = part[: served.cuts.pop(0)]
                self.close_connection = True
            self.wfile.write(part)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.ended.set()
        server.shutdown()
        server.server_close()
        thread.join(10)

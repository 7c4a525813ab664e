"""The REST client before a server that ends in the middle of an answer."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from metaflow_airflow.airflow_api.client import AirflowClient, AirflowError


class BreaksOff(BaseHTTPRequestHandler):
    """Signs everybody in, and ends before the first line of what was asked for."""

    def do_POST(self) -> None:
        self._answer(b'{"access_token": "t"}', 21)

    def do_GET(self) -> None:
        self._answer(b"", 100 if "cut" in self.path else 0)

    def _answer(self, body: bytes, promised: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), BreaksOff) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("run_id", ["empty", "cut"])
def test_an_answer_that_breaks_off_is_an_error_that_names_the_run(url: str, run_id: str) -> None:
    with pytest.raises(AirflowError, match=rf"broke off its answer about run {run_id} of Flow"):
        AirflowClient(url, "user", "word").state("Flow", run_id)

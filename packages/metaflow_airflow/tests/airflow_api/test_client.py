"""The REST client before a server that ends in the middle of an answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from metaflow_airflow.airflow_api.client import AirflowClient, AirflowError, UnreachableError


class BreaksOff(BaseHTTPRequestHandler):
    """Signs everybody in, and ends before the first line of what was asked for."""

    def do_POST(self) -> None:
        self._answer(b'{"access_token": "t"}', 21)

    def do_GET(self) -> None:
        if "details" in self.path:
            body = json.dumps({"sent": self.headers["Authorization"]}).encode()
            return self._answer(body, len(body))
        if "held" in self.path:
            packed = "gzip" in self.headers["Accept-Encoding"]
            body = b"" if packed else b'{"state": "running"}\n'
            return self._answer(body, 100 if packed else len(body))
        return self._answer(b"", 100 if "cut" in self.path else 0)

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


def test_no_proxy_and_no_netrc_stands_between_the_client_and_this_machine(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "socks://127.0.0.1:9/")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("SSL_CERT_FILE", "/gone.pem")

    assert AirflowClient(url, "user", "word").dag("Flow") == {"sent": "Bearer t"}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HTTPS_PROXY", "http://user:secret@127.0.0.1:9", "the proxy of HTTPS_PROXY, HTTP_PROXY"),
        ("HTTPS_PROXY", "socks://user:secret@127.0.0.1:9", "the proxy of HTTPS_PROXY, HTTP_PROXY"),
        ("REQUESTS_CA_BUNDLE", "/gone.pem", "the certificates of SSL_CERT_FILE or REQUESTS_CA"),
    ],
)
def test_a_variable_that_keeps_the_client_from_airflow_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    for other in ("https_proxy", "HTTPS_PROXY", "NO_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, value)

    with pytest.raises(UnreachableError) as caught:
        AirflowClient("https://airflow.invalid", "user", "word").check()

    assert f"Airflow at https://airflow.invalid cannot be reached ({said}" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_state_is_asked_for_plain_as_older_airflows_hold_a_packed_line_back(url: str) -> None:
    assert AirflowClient(url, "user", "word").state("Flow", "held") == "running"

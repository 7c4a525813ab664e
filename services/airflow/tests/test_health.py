"""The containers' health check: what is wrong, and with whom."""

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from airflow_service import health

ANSWER: dict[str, dict[str, str]] = {}


class Api(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(ANSWER).encode())

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(health, "API_URL", f"http://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("database", "scheduler", "asked", "code"),
    [
        ("healthy", "healthy", "scheduler", health.HEALTHY),
        ("healthy", "unhealthy", "scheduler", health.AT_FAULT),
        ("healthy", "unhealthy", None, health.HEALTHY),
        ("unhealthy", "unhealthy", "scheduler", health.ELSEWHERE),
        ("unhealthy", "unhealthy", None, health.ELSEWHERE),
    ],
)
def test_a_server_is_not_at_fault_for_its_database(
    api: HTTPServer, database: str, scheduler: str, asked: str | None, code: int
) -> None:
    ANSWER.update(metadatabase={"status": database}, scheduler={"status": scheduler})

    assert health.main(asked) == code


def test_who_does_not_answer_is_at_fault_and_no_other_server(
    api: HTTPServer, capsys: pytest.CaptureFixture[str]
) -> None:
    api.shutdown()
    api.server_close()

    assert health.main() == health.AT_FAULT
    assert health.main("triggerer") == health.ELSEWHERE
    assert "does not answer" in capsys.readouterr().err


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "worker.pid"
    monkeypatch.setattr(health, "WORKER_PID", file)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return file


def test_a_worker_that_airflow_does_not_know_is_at_fault(worker: Path) -> None:
    assert health.main("worker") == health.AT_FAULT


def test_a_worker_that_stands_still_is_at_fault(
    worker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # waits once, until the pipe is closed
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    try:
        worker.write_text(str(child))
        deadline = time.monotonic() + 30
        while "S (" not in Path(f"/proc/{child}/status").read_text():
            assert time.monotonic() < deadline, "the child does not sleep"
        assert health.main("worker") == health.HEALTHY
        assert health.main("worker") == health.HEALTHY
        now = time.monotonic()
        with monkeypatch.context() as later:
            later.setattr(time, "monotonic", lambda: now + 121)
            assert health.main("worker") == health.AT_FAULT
    finally:
        os.close(writing)
        os.waitpid(child, 0)
    assert health.main("worker") == health.AT_FAULT

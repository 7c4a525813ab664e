"""A small API server over real HTTP: what of Airflow's REST API deployments need, from a dict."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

from metaflow_airflow.airflow_api.client import AirflowClient


@dataclass
class FakeAirflow:
    """What the server knows.

    Args:
        sources: text of each DAG's file. errors: as Airflow lists import errors.
        files: of each DAG, the path below its bundle. runs: those that were triggered.
        under_way: what is listed as runs that have not ended.
        tokens: those that it takes; the last one is what a login gets.
        pauses: of each DAG, what its details say of a pause.
        parsed: the tokens of files that were to be read again.
        version: that it says of itself. assets: as Airflow lists them.
        on_ask: called before a DAG's source is told; it plays the DAG processor, as on_parse does
            when a file is to be read again.
    """

    sources: dict[str, str] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    pools: set[str] = field(default_factory=set)
    runs: list[dict[str, Any]] = field(default_factory=list)
    under_way: list[dict[str, Any]] = field(default_factory=list)
    pauses: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=lambda: ["t"])
    parsed: list[str] = field(default_factory=list)
    version: str = "3.3.2"
    assets: list[dict[str, Any]] = field(default_factory=list)
    on_ask: Callable[[], None] = lambda: None
    on_parse: Callable[[], None] = lambda: None
    url: str = ""

    @property
    def client(self) -> AirflowClient:
        """A client that has not signed in."""
        return AirflowClient(self.url, "admin", "word")

    @property
    def environment(self) -> dict[str, str]:
        """Where a command finds it."""
        return {
            "METAFLOW_AIRFLOW_REST_API_URL": self.url,
            "METAFLOW_AIRFLOW_REST_API_USERNAME": "admin",
            "METAFLOW_AIRFLOW_REST_API_PASSWORD": "word",
        }

    def load(self, file: Path, dag_id: str) -> None:
        """Load a file as the DAG processor does."""
        self.sources[dag_id] = file.read_text()
        self.files[dag_id] = file.name

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and JSON."""
        for route, answer in _ROUTES.items():
            if found := re.fullmatch(route, f"{method} {path}"):
                try:
                    return answer(self, body, *map(unquote, found.groups()))
                except KeyError:
                    return 404, {"detail": "not found"}
        return 405, {"detail": f"the tests have no {method} {path}"}

    def _dag(self, dag_id: str) -> dict[str, Any]:
        if dag_id not in self.sources:
            raise KeyError(dag_id)
        return {
            "dag_id": dag_id,
            "is_paused": False,
            "is_stale": False,
            "catchup": False,
            "next_dagrun_run_after": None,
            "file_token": dag_id,
            "bundle_name": "dags-folder",
            "relative_fileloc": self.files.get(dag_id, f"{dag_id}.py"),
            **self.pauses.get(dag_id, {}),
        }

    def _patch(self, body: dict[str, Any], dag_id: str) -> tuple[int, Any]:
        self.pauses.setdefault(dag_id, {}).update(body)
        return 200, self._dag(dag_id)

    def _parse(self, token: str) -> tuple[int, Any]:
        self.parsed.append(token)
        self.on_parse()
        return 201, None

    def _source(self, dag_id: str) -> tuple[int, Any]:
        self.on_ask()
        return 200, {"content": self.sources[dag_id]}

    def _trigger(self, body: dict[str, Any], dag_id: str) -> tuple[int, Any]:
        run = {**body, "dag_id": dag_id, "state": "queued", "run_after": "2026-01-01"}
        self.runs.append(run)
        return 200, run

    def _delete(self, dag_id: str) -> tuple[int, Any]:
        del self.sources[dag_id]
        self.deleted.append(dag_id)
        return 204, {}

    def _pool(self, name: str) -> tuple[int, Any]:
        return (200, {"name": name}) if name in self.pools else (404, {"detail": "no pool"})


_ROUTES: dict[str, Callable[..., tuple[int, Any]]] = {
    r"POST /auth/token": lambda self, body: (201, {"access_token": self.tokens[-1]}),
    r"GET /api/v2/version": lambda self, body: (200, {"version": self.version}),
    r"GET /api/v2/dags": lambda self, body: (200, {"dags": [self._dag(d) for d in self.sources]}),
    r"GET /api/v2/dags/([^/]+)/details": lambda self, body, dag_id: (200, self._dag(dag_id)),
    r"GET /api/v2/dagSources/([^/]+)": lambda self, body, dag_id: self._source(dag_id),
    r"GET /api/v2/assets": lambda self, body: (200, {"assets": self.assets}),
    r"GET /api/v2/importErrors": lambda self, body: (200, {"import_errors": self.errors}),
    r"GET /api/v2/pools/([^/]+)": lambda self, body, name: self._pool(name),
    r"POST /api/v2/dags/([^/]+)/dagRuns": FakeAirflow._trigger,
    r"GET /api/v2/dags/([^/]+)/dagRuns": lambda self, body, _: (200, {"dag_runs": self.under_way}),
    r"PATCH /api/v2/dags/([^/]+)": FakeAirflow._patch,
    r"PUT /api/v2/parseDagFile/([^/]+)": lambda self, body, token: self._parse(token),
    r"DELETE /api/v2/dags/([^/]+)": lambda self, body, dag_id: self._delete(dag_id),
}


@contextmanager
def serving(airflow: FakeAirflow) -> Iterator[FakeAirflow]:
    """Serve it on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            path = urlsplit(self.path).path
            known = self.headers["Authorization"] in [f"Bearer {each}" for each in airflow.tokens]
            status, answer = 401, {"detail": "Invalid JWT token"}
            if known or path == "/auth/token":
                status, answer = airflow.answer(self.command, path, body)
            text = b"" if status == 204 else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _do

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        airflow.url = f"http://127.0.0.1:{server.server_port}"
        yield airflow
        server.shutdown()
        thread.join()

"""Airflow's four servers."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from embedded.errors import NotReadyError
from embedded.ports import HOST
from embedded.servers.airflow_parent import PARENT, AirflowParent
from embedded.servers.base import Running, Server
from embedded.servers.forked import API_SERVER, SCHEDULER

_SILENCE = timedelta(seconds=60)


class AirflowServer(Server):
    """One of Airflow's servers, forked from the parent.

    `health` is its name in /api/v2/monitor/health; the API server itself has none.
    """

    deadline = 180.0
    probe_seconds = 0.4

    def __init__(
        self, name: str, parent: AirflowParent, *, log: Path, port: int, argv: Sequence[str],
        health: str | None = None, job_type: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(log)
        self.name = name
        self.needs = (PARENT, "postgres")
        self.job_type = job_type
        self._parent = parent
        self._port = port
        self._argv = argv
        self._health = health
        self._started = datetime.now(UTC)

    async def start(self) -> Running:
        """Fork the server; it waits for `go`, so that it can import while tables are made."""
        return await self._parent.fork(self.name, self._argv, log=self.log)

    def go(self) -> None:
        """Let the server begin: the tables are there."""
        self._started = datetime.now(UTC)
        self._parent.go(self.name)

    def probe(self) -> None:
        """Ask the API server for the health of this one; an old heartbeat is not enough."""
        health = _health(self._port)
        if health["metadatabase"]["status"] != "healthy":
            raise NotReadyError("Airflow cannot reach its database")
        if self._health is None:
            return
        part = health[self._health]
        beat = part.get(f"latest_{self._health}_heartbeat")
        with contextlib.suppress(TypeError):
            if part["status"] == "healthy" and datetime.fromisoformat(beat) >= max(
                self._started, datetime.now(UTC) - _SILENCE
            ):
                return
        raise NotReadyError(f"{part['status']}, last heartbeat {beat}")

    def describe(self) -> dict[str, Any]:
        """Return the URL for the API server, else nothing but the log."""
        return {"url": f"http://{HOST}:{self._port}"} if self._health is None else {}


def _health(port: int) -> dict[str, Any]:
    # Not httpx: without TLS to set up, asking costs the supervisor next to nothing.
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", "/api/v2/monitor/health")
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != http.client.OK:
            raise NotReadyError(f"the API server answers {answer.status}: {content[:200]!r}")
        health: dict[str, Any] = json.loads(content)
        return health
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotReadyError(f"the API server does not answer: {error}") from error
    finally:
        connection.close()


def airflow_servers(parent: AirflowParent, *, logs: Path, port: int) -> list[AirflowServer]:
    """Return the API server, scheduler, DAG processor and triggerer.

    No log servers: they bind to every interface, and all processes share one log folder.
    """

    def server(name: str, argv: Sequence[str], **more: Any) -> AirflowServer:
        return AirflowServer(name, parent, log=logs / f"{name}.log", port=port, argv=argv, **more)

    return [
        server(API_SERVER, ["api-server"]),
        server(
            SCHEDULER, ["scheduler", "--skip-serve-logs"],
            health="scheduler", job_type="SchedulerJob",
        ),
        server(
            "dag-processor", ["dag-processor"],
            health="dag_processor", job_type="DagProcessorJob",
        ),
        server(
            "triggerer", ["triggerer", "--skip-serve-logs"],
            health="triggerer", job_type="TriggererJob",
        ),
    ]  # fmt: skip

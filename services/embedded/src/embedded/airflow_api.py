"""Airflow's public REST API (v2), as far as the pipeline needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from embedded.errors import StackError

Json = dict[str, Any]
_PAGE = 100
# What these say at level info is the same in every log, and hides the one line that matters.
_CHATTER = ("task", "airflow.dag_processing.", "botocore.")


class AirflowApi:
    """A client with a login; it logs in again when its token has expired.

    Raises StackError, naming the address, when Airflow cannot be reached or refuses.
    """

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url
        self._login = {"username": username, "password": password}
        # No proxy from the environment: the server is this machine's, or named by its address.
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def dag(self, dag_id: str) -> Json | None:
        """Return a DAG, or None while Airflow knows none of that id."""
        answer = self._send("GET", f"dags/{_quoted(dag_id)}", allowed=(404,))
        return None if answer.status_code == httpx.codes.NOT_FOUND else answer.json()

    def import_errors(self) -> list[Json]:
        """Return the import errors: each has filename, bundle_name, stack_trace, timestamp."""
        return self._all("importErrors", "import_errors")

    def unpause(self, dag_id: str) -> None:
        """Let the DAG's runs start."""
        self._send("PATCH", f"dags/{_quoted(dag_id)}", json={"is_paused": False})

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> Json:
        """Start a run of the DAG."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        answer: Json = self._send("POST", f"dags/{_quoted(dag_id)}/dagRuns", json=body).json()
        return answer

    def run(self, dag_id: str, run_id: str) -> Json:
        """Return a run: its state, start_date, end_date."""
        answer: Json = self._send("GET", _run(dag_id, run_id)).json()
        return answer

    def task_instances(self, runs: Mapping[str, str]) -> list[Json]:
        """Return the task instances of some runs: DAG ids and the id of a run of each."""
        body = {"dag_ids": list(runs), "dag_run_ids": sorted(set(runs.values()))}
        return self._batch("dags/~/dagRuns/~/taskInstances/list", body, "task_instances")

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str) -> Any:
        """Return a value that a task left, or None when it left none."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{_quoted(task_id)}/xcomEntries/{key}"
        answer = self._send("GET", path, allowed=(404,))
        return None if answer.status_code == httpx.codes.NOT_FOUND else answer.json()["value"]

    def log(self, task: Json) -> list[str]:
        """Return the lines of the log of a task instance's last try, without Airflow's own news."""
        return [line for part in self._log(task) for line in _log_lines(part)]

    def warnings(self, task: Json, logger: str) -> list[str]:
        """Return what code below `logger` warned of in the log of a task instance's last try."""
        return [
            str(part["event"])
            for part in self._log(task)
            if isinstance(part, dict)
            and part.get("level") == "warning"
            and str(part.get("logger")).startswith(logger)
        ]

    def _log(self, task: Json) -> list[Any]:
        path = (
            f"{_run(task['dag_id'], task['dag_run_id'])}/taskInstances/{_quoted(task['task_id'])}"
            f"/logs/{max(task['try_number'], 1)}"
        )
        query = {"map_index": task["map_index"], "full_content": True}
        answer = self._send("GET", path, params=query, headers={"Accept": "application/json"})
        entries: list[Any] = answer.json()["content"]
        return entries

    def _all(self, path: str, key: str) -> list[Json]:
        def page(offset: int) -> list[Json]:
            query = {"limit": _PAGE, "offset": offset}
            return list(self._send("GET", path, params=query).json()[key])

        return _all_pages(page)

    def _batch(self, path: str, body: Json, key: str) -> list[Json]:
        def page(offset: int) -> list[Json]:
            of = {"page_limit": _PAGE, "page_offset": offset, "order_by": "id"}
            return list(self._send("POST", path, json=body | of).json()[key])

        return _all_pages(page)

    def _send(
        self, method: str, path: str, *, allowed: tuple[int, ...] = (), **arguments: Any
    ) -> httpx.Response:
        if "Authorization" not in self._http.headers:
            self._log_in()
        answer = self._call(method, f"/api/v2/{path}", **arguments)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._log_in()
            answer = self._call(method, f"/api/v2/{path}", **arguments)
        if not answer.is_success and answer.status_code not in allowed:
            # 5xx: its database restarts, or a proxy before it finds nobody.
            kind = AirflowUnreachableError if answer.is_server_error else StackError
            raise kind(
                f"Airflow at {self.url} answered {method} {path} with {answer.status_code}: "
                f"{answer.text[:500]}"
            )
        return answer

    def _log_in(self) -> None:
        answer = self._call("POST", "/auth/token", json=self._login)
        if not answer.is_success:
            raise StackError(
                f"Airflow at {self.url} refused the login of {self._login['username']!r}: "
                f"{answer.status_code} {answer.text[:200]}"
            )
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise AirflowUnreachableError(
                f"Airflow at {self.url} cannot be reached: {error}"
            ) from error


class AirflowUnreachableError(StackError):
    """No useful answer: the API server or its database is gone, starting or too busy."""


def _all_pages(page: Callable[[int], list[Json]]) -> list[Json]:
    found: list[Json] = []
    while True:
        more = page(len(found))
        found += more
        if len(more) < _PAGE:
            return found


def _quoted(part: str) -> str:
    return quote(part, safe="")


def _run(dag_id: str, run_id: str) -> str:
    return f"dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}"


def _log_lines(part: Any) -> list[str]:
    """Return a log entry as lines: what was said, then the frames of an exception."""
    if isinstance(part, str):
        return part.splitlines()
    event = str(part["event"])
    if event.startswith("::") or _is_chatter(part):
        return []  # marks of the user interface, and where it found the log
    lines = event.splitlines() or [""]
    for error in part.get("error_detail") or []:
        lines.append(f"{error.get('exc_type')}: {error.get('exc_value')}")
    return lines


def _is_chatter(entry: Json) -> bool:
    logger = str(entry.get("logger"))
    return entry.get("level") == "info" and any(
        logger.startswith(name) if name.endswith(".") else logger == name for name in _CHATTER
    )

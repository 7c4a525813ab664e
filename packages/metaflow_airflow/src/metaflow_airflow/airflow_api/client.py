"""A client of Airflow's public REST API (v2), as much of it as deployments need."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote

import requests

from metaflow_airflow.airflow_api.login import Login, LoginError, PasswordLogin
from metaflow_airflow.airflow_api.session import Bearer, detail, new_session, why
from metaflow_airflow.airflow_api.settings import URL, settings
from metaflow_airflow.errors import BridgeError

_TIMEOUT = 30
_PAGE = 100


class AirflowError(BridgeError):
    """Airflow refused a request, or could not be reached."""


class UnreachableError(AirflowError):
    """No useful answer: Airflow or its database is gone, starting or too busy; ask again."""


class NotFoundError(AirflowError):
    """Airflow knows no such thing."""


class AirflowClient:
    """Signs in for a token, and again when that has expired.

    Args:
        url: of the API server, as a browser opens it.
        username, password: of Airflow's own login; or login: another way to get a token.

    Raises:
        AirflowError: from every method: not reachable, wrong login, or what Airflow answered.
    """

    def __init__(
        self, url: str, username: str = "", password: str = "", *, login: Login | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self._login = login or PasswordLogin(username, password)
        self._session = new_session(self.url)
        self._signed_in = False

    @classmethod
    def from_settings(cls, environment: Mapping[str, str] | None = None) -> AirflowClient:
        """The client that settings describe.

        Args:
            environment: whose settings; this process's unless it is given.

        Raises:
            BridgeError: its address or a login is not set.
        """
        url, login = settings(environment)
        return cls(url, login=login)

    def check(self) -> None:
        """Sign in, and look whether that lets anything be asked."""
        self._get("dags", {"limit": 1})

    def version(self) -> str:
        """Airflow's own, such as "3.3.2"."""
        return str(self._get("version")["version"])

    def dag(self, dag_id: str) -> dict[str, Any]:
        """A DAG's details (parameters, tags, paused, last parse)."""
        return self._get(f"dags/{_path(dag_id)}/details")

    def dags(self, *, tag: str | None = None) -> Iterator[dict[str, Any]]:
        """The DAGs, or those that carry a tag."""
        return self._pages("dags", "dags", {"tags": tag, "exclude_stale": "true"})

    def source(self, dag_id: str) -> str:
        """The text of a DAG's file, as Airflow parsed it last."""
        answer = self._request(
            "GET", f"dagSources/{_path(dag_id)}", headers={"Accept": "application/json"}
        )
        return str(answer.json()["content"])

    def has_pool(self, name: str) -> bool:
        """Whether there is a pool of that name."""
        try:
            self._get(f"pools/{_path(name)}")
        except NotFoundError:
            return False
        return True

    def all_import_errors(self) -> Iterator[dict[str, Any]]:
        """Each has filename, bundle_name, stack_trace, timestamp."""
        return self._pages("importErrors", "import_errors", {})

    def set_paused(self, dag_id: str, paused: bool) -> None:
        """Pause or unpause a DAG."""
        self._request("PATCH", f"dags/{_path(dag_id)}", json={"is_paused": paused})

    def parse_again(self, file_token: str) -> None:
        """Ask the DAG processor to read a DAG's file before all others.

        Args:
            file_token: of the DAG's details.
        """
        self._request("PUT", f"parseDagFile/{_path(file_token)}")

    def delete_dag(self, dag_id: str) -> None:
        """Delete what Airflow recorded of a DAG; its file must be gone first."""
        self._request("DELETE", f"dags/{_path(dag_id)}")

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> dict[str, Any]:
        """Start a run."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        return self._json("POST", f"dags/{_path(dag_id)}/dagRuns", json=body)

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run."""
        return self._get(f"dags/{_path(dag_id)}/dagRuns/{_path(run_id)}")

    def state(self, dag_id: str, run_id: str) -> str:
        """A run's state, such as "running".

        To be asked again and again: `run` makes Airflow load every task instance of the run, half
        a second of its processor for a foreach of a thousand.
        """
        path = f"dags/{_path(dag_id)}/dagRuns/{_path(run_id)}/wait"
        # It answers with a line now and one an interval; the first is what is asked for.
        query = {"interval": _TIMEOUT}
        # Airflow 3.1 and 3.2 keep a compressed line until the next one.
        plain = {"Accept-Encoding": "identity"}
        with self._request("GET", path, params=query, headers=plain, stream=True) as response:
            try:
                return str(json.loads(next(response.iter_lines(), b""))["state"])
            except (requests.RequestException, ValueError, LookupError, TypeError) as error:
                raise AirflowError(
                    f"Airflow at {self.url} broke off its answer about run {run_id} of {dag_id} "
                    f"({type(error).__name__}). Is it being restarted?"
                ) from error

    def runs(self, dag_id: str, *states: str, **only: str) -> Iterator[dict[str, Any]]:
        """A DAG's runs ("~": of all), newest first; of these states and other filters alone."""
        path = f"dags/{_path(dag_id)}/dagRuns"
        return self._pages(path, "dag_runs", {"order_by": "-run_after", "state": states} | only)

    def set_run_state(self, dag_id: str, run_id: str, state: str) -> None:
        """Mark a run success, failed or queued; its running tasks are ended."""
        path = f"dags/{_path(dag_id)}/dagRuns/{_path(run_id)}"
        self._request("PATCH", path, json={"state": state})

    def task_instances(self, dag_id: str, run_id: str) -> Iterator[dict[str, Any]]:
        """A run's task instances."""
        path = f"dags/{_path(dag_id)}/dagRuns/{_path(run_id)}/taskInstances"
        return self._pages(path, "task_instances", {})

    def events_of_run(self, dag_id: str, run_id: str) -> Any:
        """The asset events that started a run."""
        path = f"dags/{_path(dag_id)}/dagRuns/{_path(run_id)}/upstreamAssetEvents"
        return self._get(path)["asset_events"]

    def tasks_of_runs(self, runs: Iterable[tuple[str, str]]) -> Iterator[dict[str, Any]]:
        """The task instances of some runs (DAG id and run id), in one request a page."""
        dag_ids, run_ids = (sorted(set(ids)) for ids in zip(*runs, strict=True))
        asked = {"dag_ids": dag_ids, "dag_run_ids": run_ids}
        offset = 0
        while True:
            page = {"page_limit": _PAGE, "page_offset": offset, "order_by": "id"}
            answer = self._json("POST", "dags/~/dagRuns/~/taskInstances/list", json=asked | page)
            yield from (found := answer["task_instances"])
            offset += len(found)
            if len(found) < _PAGE:
                return

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str) -> Any:
        """A value that a task left, or None when it left none."""
        task = f"dags/{_path(dag_id)}/dagRuns/{_path(run_id)}/taskInstances/{_path(task_id)}"
        try:
            return self._get(f"{task}/xcomEntries/{_path(key)}")["value"]
        except NotFoundError:
            return None

    def log(self, task: Mapping[str, Any]) -> list[Any]:
        """The log of a task instance's last try: entries with event, level, logger, or lines."""
        run = f"dags/{_path(task['dag_id'])}/dagRuns/{_path(task['dag_run_id'])}"
        path = f"{run}/taskInstances/{_path(task['task_id'])}/logs/{max(task['try_number'], 1)}"
        query = {"map_index": task["map_index"], "full_content": True}
        answer = self._json("GET", path, params=query, headers={"Accept": "application/json"})
        entries: list[Any] = answer["content"]
        return entries

    def variable(self, key: str) -> str:
        """The value of an Airflow variable."""
        return str(self._get(f"variables/{_path(key)}")["value"])

    def assets(self, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The assets that DAGs publish or wait for: each has id, name, uri and both lists."""
        return self._pages("assets", "assets", query)

    def publish(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Register an event of an asset: asset_id, extra, partition_key."""
        return self._json("POST", "assets/events", json=dict(event))

    def _pages(self, path: str, key: str, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self._get(path, {**query, "limit": _PAGE, "offset": offset})[key]
            yield from page
            offset += len(page)
            if len(page) < _PAGE:
                return

    def _get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return self._json("GET", path, params=query)

    def _json(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        response = self._request(method, path, **arguments)
        try:
            answer: dict[str, Any] = response.json()
        except ValueError as error:
            raise AirflowError(
                f"What answers at {self.url} is not Airflow's API: no JSON came from {path}. "
                f"METAFLOW_{URL} is the address that a browser opens to see Airflow."
            ) from error
        return answer

    def _request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        if not self._signed_in:
            self._sign_in()
        response = self._send(method, f"/api/v2/{path}", **arguments)
        if response.status_code == requests.codes.unauthorized:
            self._sign_in()
            response = self._send(method, f"/api/v2/{path}", **arguments)
        if response.ok:
            return response
        if response.status_code == requests.codes.unauthorized:
            raise AirflowError(
                f"Airflow at {self.url} refused the token that {self._login.settings} gave: "
                f"{detail(response)}."
            )
        if response.status_code == requests.codes.forbidden:
            raise AirflowError(
                f"Airflow at {self.url} does not let this login do that ({method} {unquote(path)}:"
                f" {detail(response)}). Ask whoever owns Airflow for a role that may."
            )
        if response.status_code == requests.codes.not_found:
            raise NotFoundError(self._missing(path, response))
        raise self._broken(response)

    def _broken(self, response: requests.Response) -> AirflowError:
        # 5xx: its database restarts, or a proxy before it finds nobody.
        gone = response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
        return (UnreachableError if gone else AirflowError)(
            f"Airflow at {self.url} answered {response.status_code}: {detail(response)}"
        )

    def _missing(self, path: str, response: requests.Response) -> str:
        kind, *rest = path.split("/")
        if kind in ("dags", "dagSources") and 1 <= len(rest) <= 2:
            return (
                f"Airflow at {self.url} has no DAG {unquote(rest[0])}. Export the flow first "
                "(airflow create), or say the name that it was exported with (airflow --name)."
            )
        return f"Airflow at {self.url} has no such thing: {detail(response)}"

    def _sign_in(self) -> None:
        try:
            token = self._login.token(self._post)
        except LoginError as error:
            raise AirflowError(f"Airflow at {self.url} {error}.") from error
        self._session.auth = Bearer(token)
        self._signed_in = True

    def _post(self, path: str, json: dict[str, str]) -> requests.Response:
        response = self._send("POST", path, json=json)
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self._broken(response)
        return response

    def _send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        try:
            return self._session.request(method, self.url + path, timeout=_TIMEOUT, **arguments)
        except OSError as error:  # RequestException is one
            raise UnreachableError(
                f"Airflow at {self.url} cannot be reached ({why(error)}). Is it up, and is "
                f"METAFLOW_{URL} right?"
            ) from error


def _path(part: str) -> str:
    return quote(part, safe="")

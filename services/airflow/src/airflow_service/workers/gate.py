"""Lets a worker ask Airflow's edge API for what is its own and nothing else.

That API takes any worker for all of them: whoever has one worker's key may fetch the tasks of every
queue, report their ends and write into their logs. Here a worker is its key's name, has the queue
of that name, and speaks of the tasks that it fetched.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import jwt

_PREFIX = "/edge_worker/v1/"
_FORBIDDEN = 403
_TASK_FIELDS = 5  # dag, task, run, try, map index


@dataclass(frozen=True)
class Job:
    """What a request says of a task, as the edge API's table has it."""

    dag_id: str
    task_id: str
    run_id: str
    try_number: str
    map_index: str
    task_instance_id: str


class Refused(Exception):
    """A request for what is not the worker's; the message says what."""


def check(
    worker: str, method: str, path: str, body: dict[str, Any], queue_of: Callable[[Job], str | None]
) -> None:
    """Return when a worker may ask for that.

    Args:
        worker: the name of the key that it signed with. path: below the API's prefix, decoded.
        queue_of: the queue of a job that somebody fetched; None when there is none.

    Raises:
        Refused: it may not.
    """
    match (method, path.split("/")):
        case ("POST" | "PATCH", ["worker", name]) | ("POST", ["jobs", "fetch", name]):
            if name != worker:
                raise Refused(f"worker {worker} is not {name}")
            if body.get("queues") != [worker]:
                raise Refused(f"worker {worker} has the queue {worker} alone")
        case ("PATCH", ["jobs", "state", *fields]) if len(fields) == _TASK_FIELDS + 1:
            _check_job(worker, fields[:-1], body.get("task_instance_id"), queue_of)
        case ("POST", ["logs", "push", *fields]) if len(fields) == _TASK_FIELDS:
            _check_job(worker, fields, body.get("task_instance_id"), queue_of)
        case ("GET", ["health"]):
            return
        case _:
            raise Refused(f"no worker needs {method} {path}")


def _check_job(
    worker: str, fields: list[str], task: object, queue_of: Callable[[Job], str | None]
) -> None:
    dag_id, task_id, run_id, try_number, map_index = fields
    job = Job(dag_id, task_id, run_id, try_number, map_index, str(task or ""))
    if queue_of(job) != worker:
        raise Refused(f"worker {worker} has no task {'/'.join(fields)}")


class WorkerGate:
    """ASGI middleware of the API server."""

    def __init__(self, app: Any, queue_of: Callable[[Job], str | None]) -> None:
        self._app = app
        self._queue_of = queue_of

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on what is allowed; whether the signature is right is for the API itself to say."""
        path = unquote(scope.get("path", ""))
        if scope["type"] == "websocket" and _PREFIX in path:
            return
        if scope["type"] != "http" or _PREFIX not in path:
            await self._app(scope, receive, send)
            return
        body = await _whole(receive)
        try:
            said = json.loads(body or b"{}")
            if not isinstance(said, dict):
                raise Refused("a request is a JSON object")
            asked = path.partition(_PREFIX)[2]
            # The database is asked in a thread: the loop serves everybody.
            await asyncio.to_thread(
                check, _signer(scope), scope["method"], asked, said, self._queue_of
            )
        except (Refused, ValueError, jwt.InvalidTokenError) as error:
            await _answer(send, str(error))
            return
        await self._app(scope, _again(body, receive), send)


def _signer(scope: Any) -> str:
    """Return the name of the key that the token is signed with, if its signature is right."""
    headers = {name.lower(): value for name, value in scope["headers"]}
    token = headers.get(b"authorization", b"").decode("latin-1").removeprefix("Bearer ")
    return str(jwt.get_unverified_header(token).get("kid", "")) if token else ""


async def _whole(receive: Any) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Any) -> Any:
    told = False

    async def replay() -> Any:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _answer(send: Any, detail: str) -> None:
    content = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": _FORBIDDEN, "headers": headers})
    await send({"type": "http.response.body", "body": content})

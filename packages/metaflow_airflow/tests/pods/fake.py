"""A small Kubernetes API server over real HTTP, with what its clients meet: refusals, quotas,
broken streams, versions that expired.

Pods, their log and their events; a test plays the kubelet. What it answers is what a real server
of 1.36 answered to the same request.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

NAMESPACE = "flows"
Pod = dict[str, Any]


def refusal(status: int, reason: str, message: str, **details: Any) -> web.Response:
    said = {"kind": "Status", "status": "Failure", "code": status, "reason": reason}
    return web.json_response(said | {"message": message, "details": details}, status=status)


def quota_conflict() -> web.Response:
    """What a POST is answered while the quota that it counts for changes."""
    return refusal(
        409, "Conflict",
        'Operation cannot be fulfilled on resourcequotas "counted": the object has been modified; '
        "please apply your changes to the latest version and try again",
    )  # fmt: skip


class FakeApiServer:
    """Its state is public: tests look at it and change it."""

    def __init__(self) -> None:
        self.pods: dict[str, Pod] = {}
        self.logs: dict[str, list[str]] = {}  # lines behind their times
        self.events: list[dict[str, Any]] = []
        self.quota: int | None = None  # pods that are not over
        self.token: str | None = None  # None: any
        self.answers: dict[str, deque[Any]] = {}  # by verb: responses or exceptions that come first
        self.seen: list[str] = []  # verbs, in order
        self.queries: list[tuple[str, dict[str, str]]] = []
        self.oldest = 0  # of the versions that a watch may begin at
        self.watches: set[asyncio.Queue[Any]] = set()
        self.followed: dict[str, asyncio.Event] = {}  # set when a pod's log has changed
        self.broken: set[str] = set()
        self.chunk = 16 * 1024  # bytes of a log in one piece, wherever that ends
        self.url = ""
        self._versions = itertools.count(101)
        self._uids = itertools.count(1)
        self._history: list[tuple[int, str, Pod]] = []
        self._now = 100

    def first(self, verb: str, *answers: Any) -> None:
        """Answer the next requests of a verb so: None for as usual."""
        self.answers.setdefault(verb, deque()).extend(answers)

    def change(self, name: str, **status: Any) -> Pod:
        """What the cluster says of a pod from now on."""
        pod = self.pods[name]
        pod = self.pods[name] = {**pod, "status": {**pod["status"], **status}}
        self._tell("MODIFIED", pod)
        return pod

    def container(self, name: str, state: dict[str, Any], *others: dict[str, Any], **status: Any) -> None:  # fmt: skip  # noqa: E501
        """What the kubelet says of the step's container, others standing before it."""
        own = {"name": "step", "state": state}
        self.change(name, containerStatuses=[*others, own], **status)

    def remove(self, name: str) -> None:
        """The pod is gone."""
        pod = self.pods.pop(name)
        self._tell("DELETED", pod)

    def write(self, name: str, *lines: str) -> None:
        """The container writes lines, which stand behind their times."""
        self.logs.setdefault(name, []).extend(lines)
        self.followed.setdefault(name, asyncio.Event()).set()

    async def break_log(self, name: str) -> None:
        """End the stream of a log in the middle; returns when another one was asked for."""
        news, asked = self.followed[name], self.seen.count("log")
        self.broken.add(name)
        news.set()
        while self.seen.count("log") == asked:
            await asyncio.sleep(0.005)

    def break_watches(self, last: bytes = b"") -> None:
        """End all watches in the middle of a stream."""
        for queue in self.watches:
            queue.put_nowait(last or ConnectionError())

    def bookmark(self) -> None:
        """Tell all watches the newest version, as the server does every minute."""
        self._tell("BOOKMARK", {"kind": "Pod", "metadata": {}})

    def _tell(self, kind: str, pod: Pod) -> None:
        self._now = next(self._versions)
        pod["metadata"] = {**pod["metadata"], "resourceVersion": str(self._now)}
        if kind != "BOOKMARK":
            self._history.append((self._now, kind, pod))
        for queue in self.watches:
            queue.put_nowait({"type": kind, "object": pod})

    async def _pods(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            return await self._create(request)
        wanted = dict(
            each.split("=") for each in request.query.get("labelSelector", "").split(",") if each
        )
        if request.query.get("watch"):
            return await self._watch(request, wanted)
        found = [pod for pod in self.pods.values() if _has(pod, wanted)]
        return web.json_response({"items": found, "metadata": {"resourceVersion": str(self._now)}})

    async def _create(self, request: web.Request) -> web.Response:
        pod = await request.json()
        name = pod["metadata"]["name"]
        if name in self.pods:
            return refusal(409, "AlreadyExists", f'pods "{name}" already exists')
        live = [p for p in self.pods.values() if p["status"]["phase"] in ("Pending", "Running")]
        if self.quota is not None and len(live) >= self.quota:
            return refusal(
                403, "Forbidden",
                f'pods "{name}" is forbidden: exceeded quota: two-pods, requested: pods=1, '
                f"used: pods={len(live)}, limited: pods={self.quota}",
            )  # fmt: skip
        pod["metadata"] |= {"uid": f"uid-{next(self._uids)}", "namespace": NAMESPACE}
        pod["status"] = {"phase": "Pending"}
        self.pods[name] = pod
        self._tell("ADDED", pod)
        return web.json_response(pod, status=201)

    async def _watch(self, request: web.Request, wanted: dict[str, str]) -> web.StreamResponse:
        begin = int(request.query["resourceVersion"])
        response = web.StreamResponse()
        await response.prepare(request)
        if begin < self.oldest:
            gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
            await response.write(_line({"type": "ERROR", "object": gone}))
            return response
        queue: asyncio.Queue[Any] = asyncio.Queue()
        for version, kind, pod in self._history:
            if version > begin:
                queue.put_nowait({"type": kind, "object": pod})
        self.watches.add(queue)
        try:
            while True:
                change = await queue.get()
                if isinstance(change, bytes):
                    await response.write(change)
                    return response
                if isinstance(change, Exception):
                    assert request.transport
                    request.transport.abort()
                    return response
                if change["type"] == "BOOKMARK" or _has(change["object"], wanted):
                    await response.write(_line(change))
        finally:
            self.watches.discard(queue)

    async def _pod(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        pod = self.pods.get(name)
        if pod is None:
            return refusal(404, "NotFound", f'pods "{name}" not found')
        if request.method == "DELETE":
            body = await request.json()
            uid = body.get("preconditions", {}).get("uid")
            if uid not in (None, pod["metadata"]["uid"]):
                return refusal(
                    409, "Conflict", f"the UID in the precondition ({uid}) does not match"
                )
            self.remove(name)
        return web.json_response(pod)

    async def _log(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in self.pods:
            return refusal(404, "NotFound", f'pods "{name}" not found')
        if len(self.pods[name]["spec"]["containers"]) > 1 and "container" not in request.query:
            return refusal(400, "BadRequest", f"a container name must be specified for pod {name}")
        since = request.query.get("sinceTime", "")[:19]
        response = web.StreamResponse()
        await response.prepare(request)
        given = 0
        news = self.followed.setdefault(name, asyncio.Event())
        while True:
            lines = self.logs.get(name, [])
            text = "".join(f"{line}\n" for line in lines[given:] if line[:19] >= since).encode()
            given = len(lines)
            for start in range(0, len(text), self.chunk):
                await response.write(text[start : start + self.chunk])
                if name in self.broken:
                    break
            if name in self.broken:
                self.broken.discard(name)
                assert request.transport
                request.transport.abort()
                return response
            if request.query.get("follow") != "true" or name not in self.pods:
                return response
            news.clear()
            await news.wait()

    async def _events(self, request: web.Request) -> web.Response:
        uid = request.query["fieldSelector"].partition("=")[2]
        found = [each for each in self.events if each["involvedObject"]["uid"] == uid]
        return web.json_response({"items": found})

    @web.middleware
    async def _before(self, request: web.Request, handler: Any) -> web.StreamResponse:
        verb = _verb(request)
        self.seen.append(verb)
        self.queries.append((verb, dict(request.query)))
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return refusal(401, "Unauthorized", "Unauthorized")
        answer = self.answers[verb].popleft() if self.answers.get(verb) else None
        if isinstance(answer, float):
            await asyncio.sleep(answer)  # a slow server: its clients' own deadlines end it
        elif isinstance(answer, Exception):
            assert request.transport
            request.transport.abort()
        elif answer is not None:
            return answer()
        return await handler(request)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        app = web.Application(middlewares=[self._before])
        base = f"/api/v1/namespaces/{NAMESPACE}"
        app.router.add_route("*", f"{base}/pods", self._pods)
        app.router.add_route("*", f"{base}/pods/{{name}}", self._pod)
        app.router.add_get(f"{base}/pods/{{name}}/log", self._log)
        app.router.add_get(f"{base}/events", self._events)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()


def _verb(request: web.Request) -> str:
    if request.path.endswith("/log"):
        return "log"
    if request.path.endswith("/events"):
        return "events"
    if request.method == "GET":
        one = "name" in request.match_info
        return "get" if one else "watch" if request.query.get("watch") else "list"
    return {"POST": "create", "DELETE": "delete"}[request.method]


def _has(pod: Pod, labels: dict[str, str]) -> bool:
    return labels.items() <= pod["metadata"].get("labels", {}).items()


def _line(change: dict[str, Any]) -> bytes:
    return json.dumps(change).encode() + b"\n"

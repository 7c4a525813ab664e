"""Kubernetes' API as this package needs it: pods and their events as the API's own JSON."""

from __future__ import annotations

import asyncio
import codecs
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from metaflow_airflow.pods.cluster_errors import ClusterError, ClusterUnreachableError
from metaflow_airflow.pods.containers import CONTAINER
from metaflow_airflow.pods.sign_in import SignIn

_ANSWER_WITHIN = 30.0
_WATCH_SECONDS = 240
_UNAUTHORIZED, _NOT_FOUND, _CONFLICT = 401, 404, 409
_EXISTS = "AlreadyExists"


class Cluster:
    """One namespace of one cluster.

    Args:
        api: kubernetes_asyncio's CoreV1Api, signed in. sign_in: gives it a new token.
    """

    def __init__(self, api: Any, namespace: str, url: str, sign_in: SignIn | None = None) -> None:
        self._api = api
        self._sign_in = sign_in
        self.namespace = namespace
        self.url = url

    async def create(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create a pod; the one that is there already if its name is taken."""
        try:
            created: dict[str, Any] = await self._ask(
                self._api.create_namespaced_pod, self.namespace, manifest
            )
            return created
        except ClusterError as error:
            if error.reason != _EXISTS:
                raise
        found = await self.get(manifest["metadata"]["name"])
        if found is None:
            raise ClusterError(_CONFLICT, "the pod was deleted while it was created", "Conflict")
        return found

    async def get(self, name: str) -> dict[str, Any] | None:
        """A pod by name; None when there is none."""
        try:
            found: dict[str, Any] = await self._ask(
                self._api.read_namespaced_pod, name, self.namespace
            )
        except ClusterError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        return found

    async def delete(self, name: str, *, uid: str, grace: int | None = None) -> None:
        """Delete a pod, that one and no other of its name; nothing if it is gone."""
        body: dict[str, Any] = {"preconditions": {"uid": uid}}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        try:
            await self._ask(self._api.delete_namespaced_pod, name, self.namespace, body=body)
        except ClusterError as error:
            if error.status not in (_NOT_FOUND, _CONFLICT):
                raise

    async def pods(self, selector: str) -> tuple[list[dict[str, Any]], str]:
        """All pods with these labels, and the version to watch from."""
        found = await self._ask(
            self._api.list_namespaced_pod, self.namespace, label_selector=selector
        )
        return found["items"], found["metadata"]["resourceVersion"]

    async def events(self, uid: str) -> list[dict[str, Any]]:
        """What happened to a pod, as its node and the scheduler told."""
        found = await self._ask(
            self._api.list_namespaced_event,
            self.namespace,
            field_selector=f"involvedObject.uid={uid}",
        )
        return list(found["items"])

    async def watch(self, selector: str, version: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Changes after a version, as (type, pod), until the server ends the watch.

        Raises:
            ClusterError: `expired` when the version is too old. ClusterUnreachableError.
        """
        async with self._open(
            self._api.list_namespaced_pod,
            self.namespace,
            label_selector=selector,
            resource_version=version,
            allow_watch_bookmarks=True,
            timeout_seconds=_WATCH_SECONDS,
            watch=True,
            _request_timeout=(_ANSWER_WITHIN, _WATCH_SECONDS + _ANSWER_WITHIN),
        ) as response:
            async for line in _lines(response):
                event = _parsed(line)
                if event["type"] == "ERROR":
                    raise _refusal(event["object"].get("code", 0), event["object"])
                yield event["type"], event["object"]

    async def logs(
        self, name: str, since: str | None, *, follow: bool = True
    ) -> AsyncIterator[str]:
        """The log of the step's container, each line behind its time, in pieces as they come.

        Args:
            since: RFC 3339; lines before that second are left out.
            follow: until the container has ended; False for what is there now.
        """
        path = f"/api/v1/namespaces/{self.namespace}/pods/{name}/log"
        query = [
            ("container", CONTAINER),
            ("follow", str(follow).lower()),
            ("timestamps", "true"),
        ]
        if since:
            query.append(("sinceTime", since))
        # What comes in two pieces may be one character.
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        async with self._open(self._get, path, query) as response:
            async for chunk in response.content.iter_any():
                yield decoder.decode(chunk)

    async def _get(self, path: str, query: list[tuple[str, str]], **_: Any) -> Any:
        # The client's own method knows no sinceTime.
        client = self._api.api_client
        headers: dict[str, str] = {}
        await client.update_params_for_auth(headers, query, ["BearerToken"])
        return await client.rest_client.request(
            "GET",
            client.configuration.host + path,
            query_params=query,
            headers={**client.default_headers, **headers},
            _preload_content=False,
            _request_timeout=(_ANSWER_WITHIN, None),
        )

    async def _ask(self, method: Any, *arguments: Any, **options: Any) -> Any:
        options.setdefault("_request_timeout", _ANSWER_WITHIN)
        async with self._open(method, *arguments, **options) as response:
            return _parsed(await response.read())

    async def _answer(self, method: Any, *arguments: Any, **options: Any) -> Any:
        asked = time.monotonic()
        response = await method(*arguments, **options, _preload_content=False)
        if response.status != _UNAUTHORIZED or self._sign_in is None:
            return response
        try:
            if not await self._sign_in.again(asked):
                return response
        except ClusterUnreachableError:
            response.close()
            raise
        response.close()
        return await method(*arguments, **options, _preload_content=False)

    @asynccontextmanager
    async def _open(self, method: Any, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        import aiohttp

        try:
            response = await self._answer(method, *arguments, **options)
            try:
                if response.status >= 300:
                    raise _refusal(response.status, await response.read())
                yield response
            finally:
                response.close()
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise ClusterUnreachableError(
                f"{self.url}: {str(error) or type(error).__name__}"
            ) from error


async def _lines(response: Any) -> AsyncIterator[bytes]:
    """Lines of any length (aiohttp's own reader refuses long ones)."""
    parts: list[bytes] = []
    async for chunk in response.content.iter_any():
        end, *others = chunk.split(b"\n")
        parts.append(end)
        for line in others:
            yield b"".join(parts)
            parts = [line]
    if any(parts):
        yield b"".join(parts)


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        # Something between here and there answered, or broke off.
        raise ClusterUnreachableError(f"an answer that is no JSON: {text[:200]!r}") from error


def _refusal(status: int, answer: bytes | dict[str, Any]) -> ClusterError:
    text = answer[:300].decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
    try:
        said = json.loads(answer) if isinstance(answer, bytes) else answer
    except ValueError:
        return ClusterError(status, text)
    if not isinstance(said, dict):
        return ClusterError(status, text)
    return ClusterError(status, str(said.get("message") or ""), str(said.get("reason") or ""))

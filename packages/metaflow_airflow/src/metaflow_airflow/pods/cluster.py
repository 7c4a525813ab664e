"""Kubernetes' API as this package needs it: pods and their events as the API's own JSON."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from metaflow_airflow.pods.sign_in import SignIn

_ANSWER_WITHIN = 30.0
_WATCH_SECONDS = 240
_UNAUTHORIZED, _NOT_FOUND, _CONFLICT, _GONE = 401, 404, 409, 410


class ClusterError(Exception):
    """The API server answered, and refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def expired(self) -> bool:
        """A watch has to begin anew."""
        return self.status == _GONE

    @property
    def busy(self) -> bool:
        """The API server asks to come again later."""
        return self.status == 429 or self.status >= 500


class UnreachableError(Exception):
    """The API server did not answer."""


class ConnectError(Exception):
    """There is no way to the cluster: the Airflow connection, or what it names, is not usable."""


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
            if error.status != _CONFLICT:
                raise
        found = await self.get(manifest["metadata"]["name"])
        if found is None:
            raise ClusterError(_CONFLICT, "the pod was deleted while it was created")
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
            ClusterError: `expired` when the version is too old. UnreachableError.
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
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ClusterError(event["object"].get("code", 0), _message(event["object"]))
                yield event["type"], event["object"]

    async def logs(
        self, name: str, since: str | None, *, follow: bool = True
    ) -> AsyncIterator[str]:
        """A container's lines as they are written, each behind its time, until it has ended.

        Args:
            since: a time as the lines carry it; earlier ones are left out, those of its second not.
            follow: False for those that are there now.
        """
        path = f"/api/v1/namespaces/{self.namespace}/pods/{name}/log"
        query = [("follow", str(follow).lower()), ("timestamps", "true")]
        if since:
            query.append(("sinceTime", since))
        async with self._open(self._get, path, query) as response:
            async for line in _lines(response):
                yield line.decode("utf-8", "replace")

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
            return await response.json(content_type=None)

    async def _answer(self, method: Any, *arguments: Any, **options: Any) -> Any:
        asked = time.monotonic()
        response = await method(*arguments, **options, _preload_content=False)
        if response.status != _UNAUTHORIZED or self._sign_in is None:
            return response
        if not await self._sign_in.again(asked):
            return response
        response.close()
        return await method(*arguments, **options, _preload_content=False)

    @asynccontextmanager
    async def _open(self, method: Any, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        import aiohttp

        try:
            response = await self._answer(method, *arguments, **options)
            try:
                if response.status >= 300:
                    text = await response.text()
                    raise ClusterError(response.status, _message(_json(text)) or text[:300])
                yield response
            finally:
                response.close()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnreachableError(f"{self.url}: {str(error) or type(error).__name__}") from error


async def _lines(response: Any) -> AsyncIterator[bytes]:
    """Lines of any length (aiohttp's own reader refuses long ones)."""
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
    if rest:
        yield rest


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {}


def _message(status: Any) -> str:
    return str(status.get("message", "")) if isinstance(status, dict) else ""

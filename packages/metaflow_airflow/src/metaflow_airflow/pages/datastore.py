"""Reads a flow's datastore for a page: within a time and a size; Airflow's loop never waits."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from metaflow_airflow.compat.python import timeout
from metaflow_airflow.pages.page_error import PageError
from metaflow_airflow.pages.words import say

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SECONDS = 4.0
"""For all that a page asks of the datastore at once: a sentence is shown within 5 s."""

MOST_BYTES = 16 << 20
_MOST_NAMES = 5000

_T = TypeVar("_T")


@dataclass(frozen=True)
class Found:
    """An object: its name below the prefix that was listed, its size in bytes."""

    name: str
    size: int


class Datastore:
    """The objects below a root such as s3://bucket/metaflow, for one page: all of its time counts.

    Args:
        root: a URL, or an absolute path. environ: credentials and endpoint, as AWS clients take
            them, METAFLOW_S3_ENDPOINT_URL too.

    Raises:
        PageError: a root that cannot be read from here.
    """

    def __init__(self, root: str, environ: Mapping[str, str] = os.environ) -> None:
        self.root = root
        self._store = _open(root, environ)
        self._until = time.monotonic() + SECONDS

    async def read(self, path: str, most: int = MOST_BYTES) -> bytes | None:
        """An object's content; None when there is none.

        Raises:
            PageError: it is larger than `most` bytes, or the datastore does not answer in time.
        """
        return await self._within(self._read(path, most))

    async def names(self, prefix: str) -> list[Found]:
        """The objects right below a prefix; at most some thousands.

        Raises:
            PageError: the datastore does not answer in time.
        """
        return await self._within(self._names(prefix))

    async def names_of_tasks(self, step: str) -> dict[str, list[str]]:
        """The files of all tasks of a step, by task; one question for a thousand files.

        Args:
            step: flow/run/step.

        Raises:
            PageError: the datastore does not answer in time.
        """
        return await self._within(self._names_of_tasks(step))

    async def has_any(self, prefix: str) -> bool:
        """Whether there is an object anywhere below a prefix.

        Raises:
            PageError: the datastore does not answer in time.
        """
        return await self._within(self._has_any(prefix))

    async def _has_any(self, prefix: str) -> bool:
        import obstore

        async for chunk in obstore.list(self._store, f"{prefix}/", chunk_size=1):
            return bool(chunk)
        return False

    async def _read(self, path: str, most: int) -> bytes | None:
        import obstore

        try:
            found = await obstore.get_async(self._store, path)
        except FileNotFoundError:
            return None
        if found.meta["size"] > most:
            raise PageError(
                say("too_many_bytes", path=path, size=f"{found.meta['size']:,}", most=f"{most:,}"),
                413,
            )
        return bytes(await found.bytes_async())

    async def _names(self, prefix: str) -> list[Found]:
        import obstore

        # The trailing slash: "t-1" is no prefix of what is below "t-10".
        listed: AsyncIterator[Any] = obstore.list(self._store, f"{prefix}/", chunk_size=1000)
        found: list[Found] = []
        async for chunk in listed:
            for each in chunk:
                name = str(each["path"])[len(prefix) + 1 :]
                if "/" not in name:
                    found.append(Found(name, int(each["size"])))
            if len(found) > _MOST_NAMES:
                break
        return found

    async def _names_of_tasks(self, step: str) -> dict[str, list[str]]:
        import obstore

        found: dict[str, list[str]] = {}
        async for chunk in obstore.list(self._store, f"{step}/", chunk_size=1000):
            for each in chunk:
                task, _, name = str(each["path"])[len(step) + 1 :].partition("/")
                found.setdefault(task, []).append(name)
        return found

    async def _within(self, asked: Awaitable[_T]) -> _T:
        from obstore.exceptions import BaseError

        try:
            async with timeout(max(0.0, self._until - time.monotonic())):
                return await asked
        except asyncio.TimeoutError as error:
            raise PageError(say("late", root=self.root, seconds=f"{SECONDS:g}")) from error
        except (BaseError, OSError) as error:
            raise PageError(say("unreadable", root=self.root, why=_said(error))) from error


def _open(root: str, environ: Mapping[str, str]) -> ObjectStore:
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError as error:
        raise PageError(say("no_obstore")) from error
    retry: Any = {"max_retries": 1}
    try:
        if "://" not in root:
            return from_url(f"file://{root}")
        if root.startswith("s3://"):
            config = _s3_config(environ)
            plain: Any = {"allow_http": config.get("endpoint", "").startswith("http://")}
            return from_url(root, config=config, client_options=plain, retry_config=retry)
        return from_url(root, retry_config=retry)
    except (BaseError, ValueError, OSError) as error:
        raise PageError(say("unreadable_from_here", root=root, why=_said(error))) from error


def _said(error: Exception) -> str:
    """What obstore says first; a dump of its own state follows."""
    return str(error).strip().splitlines()[0][:200]


def _s3_config(environ: Mapping[str, str]) -> Any:
    names = {
        "access_key_id": ("AWS_ACCESS_KEY_ID",),
        "secret_access_key": ("AWS_SECRET_ACCESS_KEY",),
        "session_token": ("AWS_SESSION_TOKEN",),
        "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
        "endpoint": ("METAFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    }
    config: Any = {}
    for name, variables in names.items():
        if value := next((environ[each] for each in variables if environ.get(each)), None):
            config[name] = value
    return config

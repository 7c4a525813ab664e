"""Artifacts that a reader chose, as the cells of a table: `metrics.rmse` of each task or run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool

from metaflow_airflow.pages import task_files
from metaflow_airflow.pages.datastore import Datastore
from metaflow_airflow.pages.page_error import PageError
from metaflow_airflow.pages.plain_values import MOST_BYTES, NotPlainError, plain_value

MOST_NAMES = 8
_LENGTH = 60  # characters of a cell
_AT_ONCE = 32  # questions to the datastore


def names_in(text: str) -> tuple[str, ...]:
    """The names in what a reader typed, each once: commas or spaces between them."""
    return tuple(dict.fromkeys(text.replace(",", " ").split()))[:MOST_NAMES]


async def cells(
    store: Datastore, pathspecs: Sequence[str], names: Sequence[str]
) -> dict[str, dict[str, str]]:
    """The chosen values of tasks, by pathspec and name, as text; what a task lacks is left out.

    Args:
        names: of artifacts; after a dot, a key of a mapping or an index of a list.

    Raises:
        PageError: the datastore cannot be read in time.
    """
    free = asyncio.Semaphore(_AT_ONCE)
    steps = sorted({each.rpartition("/")[0] for each in pathspecs})
    listed = await asyncio.gather(*(store.names_of_tasks(step) for step in steps))
    files = dict(zip(steps, listed, strict=True))

    async def of(pathspec: str) -> dict[str, str]:
        step, _, task = pathspec.rpartition("/")
        async with free:
            return await _of_task(store, pathspec, files[step].get(task, ()), names)

    found = await asyncio.gather(*(of(each) for each in pathspecs))
    return dict(zip(pathspecs, found, strict=True))


def shown(value: Any, keys: Sequence[str]) -> str | None:
    """A part of a value as a cell's text; None where it has no such part."""
    for key in keys:
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list | tuple) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LENGTH else text[: _LENGTH - 1] + "…"


async def _of_task(
    store: Datastore, pathspec: str, files: Iterable[str], names: Sequence[str]
) -> dict[str, str]:
    artifacts = await _artifacts(store, pathspec, files)
    seen: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name in names:
        first, *keys = name.split(".")
        if first not in artifacts:
            continue
        if first not in values:
            values[first] = await _value(store, artifacts[first])
        text = shown(values[first], keys)
        if text is not None and values[first] is not None:
            seen[name] = text
    return seen


async def _artifacts(store: Datastore, pathspec: str, files: Iterable[str]) -> dict[str, str]:
    """Where each artifact's content is, of the last attempt that ended."""
    attempts = task_files.attempts(files)
    ended = [attempt.number for attempt in attempts if attempt.ended]
    data = await store.read(f"{pathspec}/{ended[-1]}.data.json") if ended else None
    if not data:
        return {}
    flow = pathspec.split("/")[0]
    objects = json.loads(data).get("objects", {})
    return {name: f"{flow}/data/{key[:2]}/{key}" for name, key in objects.items()}


async def _value(store: Datastore, path: str) -> Any:
    try:
        return await run_in_threadpool(plain_value, await store.read(path, MOST_BYTES) or b"")
    except (NotPlainError, PageError) as error:
        if isinstance(error, PageError) and error.status != 413:
            raise
        return None  # not plain, or too large for a cell

"""Artifacts that a reader chose, as the cells of a table: `metrics.rmse` of each task or run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool

from metaflow_airflow.pages import task_files
from metaflow_airflow.pages.datastore import MOST_BYTES, Datastore
from metaflow_airflow.pages.page_error import PageError
from metaflow_airflow.pages.plain_values import MOST_BYTES as LOOKED_INTO
from metaflow_airflow.pages.plain_values import NotPlainError, plain_value

MOST_NAMES = 8
_LENGTH = 60  # characters of a cell
# So many objects are read side by side and looked into in one thread, two parts at a time.
_PART, _AT_ONCE = 16, 2

_T = TypeVar("_T")


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
    steps = sorted({each.rpartition("/")[0] for each in pathspecs})
    listed = await asyncio.gather(*(store.names_of_tasks(step) for step in steps))
    files = dict(zip(steps, listed, strict=True))
    data = {
        pathspec: f"{pathspec}/{ended[-1]}.data.json"
        for pathspec in pathspecs
        if (ended := _ended(files[pathspec.rpartition("/")[0]].get(pathspec.rpartition("/")[2])))
    }
    objects = await _each(store, data.values(), MOST_BYTES, _objects)
    wanted: dict[str, set[str]] = {}  # which names are of a content: items often share one
    for pathspec, path in data.items():
        for name in names:
            if key := (objects[path] or {}).get(name.split(".")[0]):
                wanted.setdefault(_content(pathspec, key), set()).add(name)
    texts = await _each(
        store, wanted, LOOKED_INTO, lambda path, packed: _texts(packed, wanted[path])
    )
    found: dict[str, dict[str, str]] = {}
    for pathspec in pathspecs:
        known = objects.get(data.get(pathspec, "")) or {}
        contents = {n: known.get(n.split(".")[0]) for n in names}
        cell = {n: (texts[_content(pathspec, k)] or {}).get(n) for n, k in contents.items() if k}
        found[pathspec] = {name: text for name, text in cell.items() if text is not None}
    return found


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


async def _each(
    store: Datastore, paths: Iterable[str], most: int, make: Callable[[str, bytes], _T]
) -> dict[str, _T | None]:
    """What is made of each object, in a thread; None where there is none, or it is too large."""
    free = asyncio.Semaphore(_AT_ONCE)
    left = list(paths)

    async def read(path: str) -> bytes | None:
        try:
            return await store.read(path, most)
        except PageError as error:
            if error.status != 413:
                raise
            return None

    async def some(part: Sequence[str]) -> list[_T | None]:
        async with free:
            contents = await asyncio.gather(*(read(path) for path in part))
            return await run_in_threadpool(
                lambda: [
                    None if content is None else make(path, content)
                    for path, content in zip(part, contents, strict=True)
                ]
            )

    parts = [left[start : start + _PART] for start in range(0, len(left), _PART)]
    made = await asyncio.gather(*(some(part) for part in parts))
    return dict(zip(left, (each for part in made for each in part), strict=True))


def _ended(files: Iterable[str] | None) -> list[int]:
    return [attempt.number for attempt in task_files.attempts(files or ()) if attempt.ended]


def _objects(_: str, data: bytes) -> Mapping[str, str]:
    found: Mapping[str, str] = json.loads(data).get("objects", {})
    return found


def _content(pathspec: str, key: str) -> str:
    return f"{pathspec.split('/')[0]}/data/{key[:2]}/{key}"


def _texts(packed: bytes, names: Iterable[str]) -> dict[str, str]:
    """The cells of an artifact, by name; of None, and of what is not plain, there are none."""
    try:
        value = plain_value(packed)
    except NotPlainError:
        return {}
    cells = {name: shown(value, name.split(".")[1:]) for name in names} if value is not None else {}
    return {name: text for name, text in cells.items() if text is not None}

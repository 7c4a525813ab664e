"""Artifacts that a reader chose, as the cells of a table: `metrics.rmse` of each task or run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cachetools import LRUCache
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

# An attempt that has ended and a content stay as they are: who looks at a run again, and again
# while it goes on, waits for what is new alone; who was too late goes on where it stopped.
_known: LRUCache[tuple[str, str, tuple[str, ...]], dict[str, str]] = LRUCache(20_000)


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
    keys = await _each(store, dict.fromkeys(data.values(), names), MOST_BYTES, _keys)
    wanted: dict[str, list[str]] = {}  # which names are of a content: items often share one
    for pathspec, path in data.items():
        for name, key in keys[path].items():
            wanted.setdefault(_content(pathspec, key), []).append(name)
    asked = {path: sorted(set(each)) for path, each in wanted.items()}
    texts = await _each(store, asked, LOOKED_INTO, _texts)
    found: dict[str, dict[str, str]] = {}
    for pathspec in pathspecs:
        own = keys[data[pathspec]] if pathspec in data else {}
        cell = {name: texts[_content(pathspec, key)].get(name) for name, key in own.items()}
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
    store: Datastore,
    asked: Mapping[str, Sequence[str]],
    most: int,
    make: Callable[[bytes, Sequence[str]], dict[str, str]],
) -> dict[str, dict[str, str]]:
    """What is made of each object for the names that are asked of it, in a thread.

    Empty where there is none, or it is too large.
    """
    free = asyncio.Semaphore(_AT_ONCE)
    known = {path: (store.root, path, tuple(names)) for path, names in asked.items()}
    found = {path: _known[key] for path, key in known.items() if key in _known}
    left = [path for path in asked if path not in found]

    async def read(path: str) -> bytes | None:
        try:
            return await store.read(path, most)
        except PageError as error:
            if error.status != 413:
                raise
            return None

    async def some(part: Sequence[str]) -> None:
        async with free:
            read_now = zip(part, await asyncio.gather(*(read(path) for path in part)), strict=True)
            contents = {path: content for path, content in read_now if content is not None}
            made = await run_in_threadpool(
                lambda: {path: make(content, asked[path]) for path, content in contents.items()}
            )
            found.update({path: made.get(path, {}) for path in part})
            _known.update({known[path]: each for path, each in made.items()})

    await asyncio.gather(*(some(left[at : at + _PART]) for at in range(0, len(left), _PART)))
    return found


def _ended(files: Iterable[str] | None) -> list[int]:
    return [attempt.number for attempt in task_files.attempts(files or ()) if attempt.ended]


def _keys(data: bytes, names: Sequence[str]) -> dict[str, str]:
    """Where the content of each named artifact is, by an attempt's data.json."""
    objects = json.loads(data).get("objects", {})
    return {name: objects[first] for name in names if (first := name.split(".")[0]) in objects}


def _content(pathspec: str, key: str) -> str:
    return f"{pathspec.split('/')[0]}/data/{key[:2]}/{key}"


def _texts(packed: bytes, names: Sequence[str]) -> dict[str, str]:
    """The cells of an artifact, by name; of None, and of what is not plain, there are none."""
    try:
        value = plain_value(packed)
    except NotPlainError:
        return {}
    cells = {name: shown(value, name.split(".")[1:]) for name in names} if value is not None else {}
    return {name: text for name, text in cells.items() if text is not None}

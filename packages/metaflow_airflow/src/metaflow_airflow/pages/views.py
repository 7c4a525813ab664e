"""What each page shows, gathered from Airflow's database and the flow's datastore."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from metaflow_airflow.pages import lookup, task_files
from metaflow_airflow.pages.datastore import Datastore
from metaflow_airflow.pages.lookup import Instance
from metaflow_airflow.pages.page_error import PageError
from metaflow_airflow.pages.plain_values import NotPlainError, plain_value
from metaflow_airflow.pages.preview import preview
from metaflow_airflow.plan.record import Record
from metaflow_airflow.wire import ids

_CARD_BYTES = 32 << 20
_LOG_BYTES = 8 << 20
_RUNS = 20
_MOVING = ("running", "deferred", "queued", "scheduled", "restarting", "up_for_retry")

_T = TypeVar("_T")


async def task_page(
    session: Session, dag_id: str, run_id: str, task_id: str, map_index: int
) -> dict[str, Any]:
    """A task instance: where it is in Metaflow, its cards, its artifacts, its logs.

    Raises:
        PageError: there is no such task instance, or its datastore cannot be read.
    """
    record, instance = await _instance(session, dag_id, run_id, task_id, map_index)
    seen: dict[str, Any] = {
        "record": record,
        "instance": instance,
        "run_id": run_id,
        "moving": instance.state in _MOVING,
        "cards": [],
        "artifacts": [],
        "attempts": [],
        "sentence": "",
    }
    if instance.pathspec is None:
        seen["sentence"] = (
            f"{task_id} is no step of the flow: it made nothing in Metaflow."
            if task_id not in record.steps
            else "Which Metaflow task this item is will be known when it has ended."
        )
        return seen
    root, cards_root = lookup.roots_of(record)
    artifacts, cards = Datastore(root), Datastore(cards_root)
    try:
        files, card_files = await asyncio.gather(
            artifacts.names(instance.pathspec),
            cards.names(task_files.cards_path(instance.pathspec)),
        )
    except PageError as error:
        return {**seen, "sentence": str(error)}
    seen["cards"] = task_files.cards(each.name for each in card_files)
    seen["attempts"] = task_files.attempts(each.name for each in files)
    seen["artifacts"] = await _artifacts(artifacts, instance.pathspec, seen["attempts"])
    return seen


async def log_file(
    session: Session, dag_id: str, run_id: str, task_id: str, map_index: int, name: str
) -> str:
    """One of a task's log files, without what Metaflow wrote before each line.

    Raises:
        PageError: there is none of that name.
    """
    record, pathspec = await _task(session, dag_id, run_id, task_id, map_index)
    store = Datastore(lookup.roots_of(record)[0])
    known = task_files.attempts(each.name for each in await store.names(pathspec))
    if name not in {log for attempt in known for log in attempt.logs}:
        raise PageError(f"{pathspec} has no log {name}.", 404)
    found = await store.read(f"{pathspec}/{name}", _LOG_BYTES)
    return task_files.log_text(found or b"")


async def card_file(
    session: Session, dag_id: str, run_id: str, task_id: str, map_index: int, name: str
) -> bytes:
    """A card's HTML as the flow wrote it.

    Raises:
        PageError: there is none of that name, or it is too large to show.
    """
    record, pathspec = await _task(session, dag_id, run_id, task_id, map_index)
    store, path = Datastore(lookup.roots_of(record)[1]), task_files.cards_path(pathspec)
    known = {card.name for card in task_files.cards(each.name for each in await store.names(path))}
    found = await store.read(f"{path}/{name}", _CARD_BYTES) if name in known else None
    if found is None:
        raise PageError(f"{pathspec} has no card {name}.", 404)
    return found


async def artifact_preview(
    session: Session, dag_id: str, run_id: str, task_id: str, map_index: int, name: str
) -> dict[str, Any]:
    """What can be shown of an artifact, or why nothing can.

    Raises:
        PageError: there is none of that name.
    """
    record, pathspec = await _task(session, dag_id, run_id, task_id, map_index)
    store = Datastore(lookup.roots_of(record)[0])
    known = task_files.attempts(each.name for each in await store.names(pathspec))
    for found in await _artifacts(store, pathspec, known):
        if found.name == name:
            content = await store.read(found.path(record.flow)) or b""
            try:
                shown = preview(await run_in_threadpool(plain_value, content))
                return {"artifact": found, "shown": shown, "sentence": ""}
            except NotPlainError as error:
                return {"artifact": found, "shown": None, "sentence": f"Not shown: {error}."}
    raise PageError(f"{pathspec} has no artifact {name}.", 404)


async def run_page(session: Session, dag_id: str, run_id: str) -> dict[str, Any]:
    """A DAG run: parameters, tags, the tasks of all steps.

    Raises:
        PageError: there is no such run.
    """
    record = await _asked(lookup.record_of, session, dag_id)
    run = await _asked(lookup.run_of, session, dag_id, run_id)
    found = await _asked(lookup.instances_of, session, record, run_id)
    metaflow_run = ids.run_id(dag_id, run_id)
    sentence, with_cards = "", set()
    try:
        store = Datastore(lookup.roots_of(record)[1])
        with_cards = await _steps_with_cards(
            store, f"{record.flow}/runs/{metaflow_run}/steps", found
        )
    except PageError as error:
        sentence = str(error)
    return {
        "record": record,
        "run": run,
        "run_id": run_id,
        "pathspec": f"{record.flow}/{metaflow_run}",
        "parameters": {
            each.name: json.dumps((run.conf or {}).get(each.name, each.default), default=str)
            for each in record.parameters
        },
        "steps": _by_step(found),
        "with_cards": with_cards,
        "moving": str(run.state) in ("running", "queued"),
        "sentence": sentence,
    }


async def dag_page(session: Session, dag_id: str) -> dict[str, Any]:
    """A DAG: what the deployment says of itself, the newest runs.

    Raises:
        PageError: it is none of ours.
    """
    record = await _asked(lookup.record_of, session, dag_id)
    runs = await _asked(lookup.runs_of, session, dag_id, _RUNS)
    return {
        "record": record,
        "runs": [(run, ids.run_id(dag_id, run.run_id)) for run in runs],
    }


def seconds(value: float | None) -> str:
    """A duration for people: 0.4 s, 12 s, 3 min 5 s."""
    if value is None:
        return ""
    if value < 10:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def size(value: int | None) -> str:
    """An amount of bytes for people."""
    if value is None:
        return ""
    amount = float(value)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


async def _artifacts(
    store: Datastore, pathspec: str, attempts: list[task_files.Attempt]
) -> list[task_files.Artifact]:
    ended = [attempt.number for attempt in attempts if attempt.ended]
    if not ended:
        return []
    data = await store.read(f"{pathspec}/{ended[-1]}.data.json")
    return task_files.artifacts(json.loads(data)) if data else []


async def _steps_with_cards(store: Datastore, path: str, found: list[Instance]) -> set[str]:
    """The steps that have written a card: one question a step, not one a task."""
    steps = sorted({each.task_id for each in found})
    answers = await asyncio.gather(*(store.has_any(f"{path}/{step}") for step in steps))
    return {step for step, answer in zip(steps, answers, strict=True) if answer}


def _by_step(found: list[Instance]) -> dict[str, list[Instance]]:
    steps: dict[str, list[Instance]] = {}
    for each in found:
        steps.setdefault(each.task_id, []).append(each)
    return steps


async def _instance(
    session: Session, dag_id: str, run_id: str, task_id: str, map_index: int
) -> tuple[Record, Instance]:
    record = await _asked(lookup.record_of, session, dag_id)
    return record, await _asked(lookup.instance_of, session, record, run_id, task_id, map_index)


async def _task(
    session: Session, dag_id: str, run_id: str, task_id: str, map_index: int
) -> tuple[Record, str]:
    record, instance = await _instance(session, dag_id, run_id, task_id, map_index)
    if instance.pathspec is None:
        raise PageError(f"Which Metaflow task {task_id} [{map_index}] is, is not known yet.", 404)
    return record, instance.pathspec


async def _asked(question: Callable[..., _T], *arguments: Any) -> _T:
    """Ask Airflow's database where waiting for it holds nobody up."""
    return await run_in_threadpool(question, *arguments)

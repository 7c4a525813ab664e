"""What a task's pages show, gathered from Airflow's database and the flow's datastore."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from metaflow_airflow import urls
from metaflow_airflow.pages import lookup, neighbours, task_files
from metaflow_airflow.pages.datastore import Datastore
from metaflow_airflow.pages.lookup import Instance
from metaflow_airflow.pages.page_error import PageError
from metaflow_airflow.pages.plain_values import NotPlainError, plain_value
from metaflow_airflow.pages.preview import preview
from metaflow_airflow.pages.sources import asked, stores
from metaflow_airflow.pages.task_address import TaskAddress
from metaflow_airflow.pages.words import say
from metaflow_airflow.plan.record import Record

_CARD_BYTES = 32 << 20
_LOG_BYTES = 8 << 20
_MOVING = ("running", "deferred", "queued", "scheduled", "restarting", "up_for_retry")


async def task_page(session: Session, address: TaskAddress) -> dict[str, Any]:
    """A task instance: where it is in Metaflow, its cards, its artifacts, its logs.

    Raises:
        PageError: there is no such task instance, or its datastore cannot be read.
    """
    record, instance = await _instance(session, address)
    run = await asked(lookup.run_of, session, address.dag_id, address.run_id)
    before, after = await asked(neighbours.tasks_around, session, record, run, instance)
    seen: dict[str, Any] = {
        "record": record,
        "before": before,
        "after": after,
        "ui": urls.metaflow_ui(instance.pathspec),
        "instance": instance,
        "run_id": address.run_id,
        "moving": instance.state in _MOVING,
        "cards": [],
        "artifacts": [],
        "attempts": [],
        "sentence": "",
    }
    if instance.pathspec is None:
        seen["sentence"] = (
            say("not_a_step", task=address.task_id)
            if address.task_id not in record.steps
            else say("not_known_yet")
        )
        return seen
    try:
        artifacts, cards = await stores(record)
        files, card_files = await asyncio.gather(
            artifacts.names(instance.pathspec),
            cards.names(task_files.cards_path(instance.pathspec)),
        )
        seen["cards"] = task_files.cards(each.name for each in card_files)
        seen["attempts"] = task_files.attempts(each.name for each in files)
        seen["artifacts"] = await _artifacts(artifacts, instance.pathspec, seen["attempts"])
    except PageError as error:
        seen["sentence"] = str(error)
    return seen


async def log_file(session: Session, address: TaskAddress, name: str) -> str:
    """One of a task's log files, without what Metaflow wrote before each line.

    Raises:
        PageError: there is none of that name.
    """
    record, pathspec = await _task(session, address)
    store, _ = await stores(record)
    known = task_files.attempts(each.name for each in await store.names(pathspec))
    if name not in {log for attempt in known for log in attempt.logs}:
        raise PageError(say("no_log", task=pathspec, name=name), 404)
    found = await store.read(f"{pathspec}/{name}", _LOG_BYTES)
    return task_files.log_text(found or b"")


async def card_file(session: Session, address: TaskAddress, name: str) -> bytes:
    """A card's HTML as the flow wrote it.

    Raises:
        PageError: there is none of that name, or it is too large to show.
    """
    record, pathspec = await _task(session, address)
    _, store = await stores(record)
    path = task_files.cards_path(pathspec)
    known = {card.name for card in task_files.cards(each.name for each in await store.names(path))}
    found = await store.read(f"{path}/{name}", _CARD_BYTES) if name in known else None
    if found is None:
        raise PageError(say("no_card", task=pathspec, name=name), 404)
    return found


async def artifact_preview(session: Session, address: TaskAddress, name: str) -> dict[str, Any]:
    """What can be shown of an artifact, or why nothing can.

    Raises:
        PageError: there is none of that name.
    """
    record, pathspec = await _task(session, address)
    store, _ = await stores(record)
    known = task_files.attempts(each.name for each in await store.names(pathspec))
    for found in await _artifacts(store, pathspec, known):
        if found.name == name:
            content = await store.read(found.path(record.flow)) or b""
            try:
                shown = preview(await run_in_threadpool(plain_value, content))
                return {"artifact": found, "shown": shown, "sentence": ""}
            except NotPlainError as error:
                return {"artifact": found, "shown": None, "sentence": say("not_shown", why=error)}
    raise PageError(say("no_artifact", task=pathspec, name=name), 404)


async def _artifacts(
    store: Datastore, pathspec: str, attempts: list[task_files.Attempt]
) -> list[task_files.Artifact]:
    ended = [attempt.number for attempt in attempts if attempt.ended]
    if not ended:
        return []
    data = await store.read(f"{pathspec}/{ended[-1]}.data.json")
    return task_files.artifacts(json.loads(data)) if data else []


async def _instance(session: Session, address: TaskAddress) -> tuple[Record, Instance]:
    record = await asked(lookup.record_of, session, address.dag_id)
    return record, await asked(lookup.instance_of, session, record, address)


async def _task(session: Session, address: TaskAddress) -> tuple[Record, str]:
    record, instance = await _instance(session, address)
    if instance.pathspec is None:
        raise PageError(say("no_task_yet", task=address), 404)
    return record, instance.pathspec

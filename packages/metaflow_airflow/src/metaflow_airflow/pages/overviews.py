"""What the pages of a run and of a DAG show."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from typing import Any

from sqlalchemy.orm import Session

from metaflow_airflow import urls
from metaflow_airflow.pages import chosen, lookup, neighbours, task_files
from metaflow_airflow.pages.ancestry import ancestry
from metaflow_airflow.pages.datastore import Datastore
from metaflow_airflow.pages.lookup import Instance
from metaflow_airflow.pages.page_error import PageError
from metaflow_airflow.pages.sources import asked, stores
from metaflow_airflow.wire import ids

_RUNS = 20
_ITEMS = 1000  # of one run, whose chosen artifacts are read
_CARDS = 12  # of a run, shown at once


async def run_page(
    session: Session, dag_id: str, run_id: str, columns: str, readable: Collection[str]
) -> dict[str, Any]:
    """A DAG run: parameters, tags, tasks, cards, what led to it and what it led to.

    Args:
        columns: names of artifacts to show of each item.
        readable: ids of the DAGs that the reader may see.

    Raises:
        PageError: there is no such run.
    """
    record = await asked(lookup.record_of, session, dag_id)
    run = await asked(lookup.run_of, session, dag_id, run_id)
    found = await asked(lookup.instances_of, session, record, run_id)
    names = chosen.names_in(columns)
    seen: dict[str, Any] = {
        "record": record,
        "run": run,
        "run_id": run_id,
        "pathspec": f"{record.flow}/{ids.run_id(dag_id, run_id)}",
        "ui": urls.metaflow_ui(f"{record.flow}/{ids.run_id(dag_id, run_id)}"),
        "parameters": {
            each.name: json.dumps((run.conf or {}).get(each.name, each.default), default=str)
            for each in record.parameters
        },
        "version": (await asked(lookup.versions_of, session, [run])).get(run_id),
        "codes": sorted({each.code for each in found if each.code}),
        "causes": await asked(neighbours.causes, session, run, readable),
        "effects": await asked(neighbours.effects, session, run, readable),
        "datasets": await asked(ancestry, session, dag_id, run_id, readable),
        "steps": _by_step(found),
        "columns": names,
        "cells": {},
        "cards": [],
        "moving": str(run.state) in ("running", "queued"),
        "sentence": "",
    }
    try:
        artifacts, cards = await stores(record)
        seen["cards"] = await _cards_of_run(cards, record.flow, found)
        if names:
            items = [each.pathspec for each in found if each.map_index >= 0 and each.pathspec]
            seen["cells"] = await chosen.cells(artifacts, items[:_ITEMS], names)
    except PageError as error:
        seen["sentence"] = str(error)
    return seen


async def dag_page(session: Session, dag_id: str, metrics: str) -> dict[str, Any]:
    """A DAG: what the deployment says of itself, the newest runs beside each other.

    Args:
        metrics: names of artifacts to show of each run.

    Raises:
        PageError: it is none of ours.
    """
    record = await asked(lookup.record_of, session, dag_id)
    runs = await asked(lookup.runs_of, session, dag_id, _RUNS)
    names = chosen.names_in(metrics)
    seen: dict[str, Any] = {
        "record": record,
        "deployed": await asked(lookup.deployed_at, session, dag_id),
        "versions": await asked(lookup.versions_of, session, runs),
        "runs": [(run, ids.run_id(dag_id, run.run_id)) for run in runs],
        "columns": names,
        "cells": {},
        "sentence": "",
    }
    if not names:
        return seen
    try:
        store, _ = await stores(record)
        tasks = {
            run.run_id: [
                each.pathspec
                for each in await asked(lookup.instances_of, session, record, run.run_id)
                if each.map_index < 0 and each.pathspec and each.state == "success"
            ]
            for run in runs
        }
        found = await chosen.cells(store, [task for own in tasks.values() for task in own], names)
        for run_id, own in tasks.items():
            # A later step's value of the same name is the run's.
            seen["cells"][run_id] = {k: v for task in own for k, v in found[task].items()}
    except PageError as error:
        seen["sentence"] = str(error)
    return seen


async def _cards_of_run(
    store: Datastore, flow: str, found: list[Instance]
) -> list[tuple[Instance, task_files.Card]]:
    """The first cards of a run: one question a step, and one for each task of those with cards."""
    steps = sorted({each.task_id for each in found if each.pathspec})
    run = next((each.pathspec.split("/")[1] for each in found if each.pathspec), "")
    answers = await asyncio.gather(
        *(store.has_any(f"{flow}/runs/{run}/steps/{step}") for step in steps)
    )
    with_cards = {step for step, answer in zip(steps, answers, strict=True) if answer}
    waiting = [(e, e.pathspec) for e in found if e.task_id in with_cards and e.pathspec][:_CARDS]
    listed = await asyncio.gather(
        *(store.names(task_files.cards_path(pathspec)) for _, pathspec in waiting)
    )
    return [
        (instance, card)
        for (instance, _), names in zip(waiting, listed, strict=True)
        for card in task_files.cards(each.name for each in names)
    ][:_CARDS]


def _by_step(found: list[Instance]) -> dict[str, list[Instance]]:
    steps: dict[str, list[Instance]] = {}
    for each in found:
        steps.setdefault(each.task_id, []).append(each)
    return steps

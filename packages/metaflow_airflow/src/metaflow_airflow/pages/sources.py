"""Asks Airflow's database and the flow's datastore for a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool

from metaflow_airflow.pages import lookup
from metaflow_airflow.pages.datastore import Datastore
from metaflow_airflow.plan.record import Record

_T = TypeVar("_T")


async def asked(question: Callable[..., _T], *arguments: Any) -> _T:
    """Ask Airflow's database where waiting for it holds nobody up."""
    return await run_in_threadpool(question, *arguments)


async def stores(record: Record) -> tuple[Datastore, Datastore]:
    """Of the flow's artifacts, and of its cards."""
    environ = await asked(lookup.environment_of, record)
    root, cards = lookup.roots_of(record, environ)
    return Datastore(root, environ), Datastore(cards, environ)

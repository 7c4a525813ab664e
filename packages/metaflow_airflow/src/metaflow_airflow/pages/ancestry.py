"""The datasets that a run read and wrote, where they came from and what they led to.

Steps name them (metaflow_airflow.lineage) and leave them in an XCom; a task of another kind that
publishes an asset names its version as `uri` in the event. Each dataset is followed from run to
run, both ways, through the DAGs that the reader may see.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow.models.asset import AssetEvent
from airflow.models.xcom import XComModel
from sqlalchemy import Text, cast, or_, select, tuple_

from metaflow_airflow.attempt.inputs import DATASETS_KEY, XCOM_KEY

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_FAR = 4  # runs in a chain, each way
_MOST = 50  # datasets, and runs that named one of them, that are followed at once
_SCHEME = "metaflow://"


@dataclass(frozen=True)
class Place:
    """A task instance that read or wrote a dataset.

    Args:
        is_step: of a flow, whose run has a tab of its own.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    is_step: bool = True


@dataclass
class Dataset:
    """A version of a dataset.

    Args:
        writers, readers: the newest first. run: what a metaflow:// URI names, where it is known.
    """

    uri: str
    writers: list[Place] = field(default_factory=list)
    readers: list[Place] = field(default_factory=list)
    run: Place | None = None


@dataclass(frozen=True)
class _Said:
    """What a task named."""

    by: Place
    read: tuple[str, ...] = ()
    wrote: tuple[str, ...] = ()


def ancestry(
    session: Session, dag_id: str, run_id: str, readable: Collection[str]
) -> list[Dataset]:
    """A run's datasets with those before and after them, from the first to the last.

    Those that another run read or wrote beside them are left out: they are on that run's page.

    Args:
        readable: ids of the DAGs that the reader may see.
    """
    ask = _Asked(session, readable)
    own = ask.of_runs([(dag_id, run_id)])
    read = _each(uri for said in own for uri in said.read)[:_MOST]
    wrote = _each(uri for said in own for uri in said.wrote)[:_MOST]
    found = {uri: Dataset(uri) for uri in (*read, *wrote)}
    _note(found, own)
    before = _follow(ask, found, read, up=True)
    after = _follow(ask, found, wrote, up=False)
    ask.name_runs(found)
    return [found[uri] for uri in _each((*reversed(before), *read, *wrote, *after))]


def _follow(ask: _Asked, found: dict[str, Dataset], uris: list[str], *, up: bool) -> list[str]:
    """Note who wrote the datasets (up) or read them, and what those read or wrote in turn.

    Returns:
        The URIs that were found so, the nearest first.
    """
    led: list[str] = []
    for _ in range(_FAR):
        said = ask.naming(uris)
        _note(found, said, uris)
        if up:
            _note(found, ask.published([uri for uri in uris if not found[uri].writers]), uris)
        near = [each for each in said if set(each.wrote if up else each.read) & set(uris)]
        runs = _each((each.by.dag_id, each.by.run_id) for each in near)[:_MOST]
        whole = ask.of_runs(runs)
        new = _each(uri for each in whole for uri in (each.read if up else each.wrote))
        uris = [uri for uri in new if uri not in found][:_MOST]
        found |= {uri: Dataset(uri) for uri in uris}
        _note(found, whole, uris)
        led += reversed(uris) if up else uris
    return led


def _note(
    found: Mapping[str, Dataset], said: Iterable[_Said], only: Collection[str] | None = None
) -> None:
    for each in said:
        for uris, attribute in ((each.wrote, "writers"), (each.read, "readers")):
            for uri in uris:
                places = getattr(found[uri], attribute) if uri in found else []
                if (only is None or uri in only) and each.by not in places:
                    places.append(each.by)


class _Asked:
    """What Airflow's database knows of datasets, as far as the reader may see it."""

    def __init__(self, session: Session, readable: Collection[str]) -> None:
        self._session = session
        self._readable = readable

    def of_runs(self, runs: Collection[tuple[str, str]]) -> list[_Said]:
        """What the tasks of runs named, in the order in which they ended."""
        if not runs:
            return []
        where = tuple_(XComModel.dag_id, XComModel.run_id).in_(runs)
        return list(self._said(where, XComModel.timestamp))

    def naming(self, uris: Collection[str]) -> list[_Said]:
        """The newest tasks that named one of the datasets, in any run."""
        if not uris:
            return []
        return list(self._said(_any(XComModel.value, uris), XComModel.timestamp.desc()))

    def published(self, uris: Collection[str]) -> Iterator[_Said]:
        """Tasks that published a version by an asset's event."""
        if not uris:
            return
        asked = select(AssetEvent).where(
            AssetEvent.source_dag_id.in_(self._readable), _any(AssetEvent.extra, uris)
        )
        for event in self._session.scalars(asked.order_by(AssetEvent.timestamp.desc())):
            if (uri := event.extra.get("uri")) in uris:
                by = Place(
                    dag_id=str(event.source_dag_id),
                    run_id=str(event.source_run_id),
                    task_id=str(event.source_task_id),
                    map_index=-1 if event.source_map_index is None else event.source_map_index,
                    is_step=False,
                )
                yield _Said(by, wrote=(str(uri),))

    def name_runs(self, found: Mapping[str, Dataset]) -> None:
        """Find the runs that metaflow://Flow/run URIs name: of a flow that said nothing, too."""
        unknown = {}
        for uri, dataset in found.items():
            if not uri.startswith(_SCHEME):
                continue
            if dataset.writers:
                dataset.run = dataset.writers[0]
            elif run := uri.removeprefix(_SCHEME).partition("/")[2].partition("/")[0]:
                unknown[uri] = run
        if not unknown:
            return
        texts = [f"{run}/" for run in unknown.values()]
        asked = _xcoms(XCOM_KEY).where(_any(XComModel.value, texts))
        runs: dict[str, Place] = {}
        for *place, value in self._session.execute(asked):
            if place[0] in self._readable:
                runs.setdefault(_json(value)["pathspec"].split("/")[0], Place(*place))
        for uri, run in unknown.items():
            found[uri].run = runs.get(run)

    def _said(self, where: Any, order: Any) -> Iterator[_Said]:
        asked = _xcoms(DATASETS_KEY).where(where).order_by(order).limit(20 * _MOST)
        for *place, value in self._session.execute(asked):
            if place[0] in self._readable:
                said = _json(value)
                verbs = {verb: tuple(said.get(verb, ())) for verb in ("read", "wrote")}
                yield _Said(Place(*place), **verbs)


def _xcoms(key: str) -> Any:
    columns = (XComModel.dag_id, XComModel.run_id, XComModel.task_id, XComModel.map_index)
    return select(*columns, XComModel.value).where(XComModel.key == key)


def _any(column: Any, texts: Collection[str]) -> Any:
    return or_(*(cast(column, Text).contains(text, autoescape=True) for text in texts))


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _each(items: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(items))

"""Puts a DAG file in the place of the flow's former one; puts that back when Airflow refuses it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from metaflow_airflow.airflow_api.client import AirflowClient, NotFoundError
from metaflow_airflow.airflow_api.deployments import NotOursError, read_record
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.export.places import DagFile, Place


@dataclass(frozen=True)
class Publication:
    """The files of one DAG: the one that is to be, and those that are there.

    Args:
        target: where the DAG file goes. former: texts of the DAG's files, the target's too.
    """

    target: DagFile
    former: Mapping[DagFile, str]

    def put(self, text: str) -> str:
        """Put the file in place, remove the DAG's other files; where it stands now."""
        path = self.target.put(text)
        for file in self.former:
            if file != self.target:
                file.remove()
        return path

    def take_back(self, text: str) -> str:
        """Put the former files back, unless somebody exported meanwhile; what was done."""
        if self.target.read() != text:
            return "Somebody else's export stands in its place now."
        for file, former in self.former.items():
            file.put(former)
        if self.target not in self.former:
            self.target.remove()
        return (
            "The former export is in place again." if self.former else "The file is removed again."
        )

    def remove(self) -> bool:
        """Remove all files of the DAG; whether there were any."""
        removed = [file.remove() for file in self.former]
        return any(removed)


def find_publication(
    dag_id: str, target: DagFile, folder: Place | None, client: AirflowClient | None
) -> Publication:
    """Look where the DAG stands now: in the target, in the DAGs folder, where Airflow read it.

    Raises:
        BridgeError: the target holds something else, or Airflow reads the DAG from a file that
            is not to be found from here.
    """
    known = _known_to(client, dag_id) if client else None
    names = [f"{dag_id}.py", *([str(known["relative_fileloc"])] if known else [])]
    places = [target.place] if folder in (None, target.place) else [target.place, folder]
    candidates = [target, *(DagFile(place, name) for place in places if place for name in names)]
    # A file may be found by two places; it is one file. The target comes first.
    distinct = {str(file): file for file in reversed(candidates)}
    former = dict(_of_dag(dag_id, distinct.values()))
    if target not in former and target.read() is not None:
        raise BridgeError(
            f"{target} is not the DAG file of {dag_id}: it holds something else, which would be "
            "lost. Give FILE another name."
        )
    if known and not any(_is_at(file, known) for file in [target, *former]):
        raise BridgeError(
            f"Airflow at {client.url if client else ''} reads {dag_id} from "
            f"{known['relative_fileloc']} of its bundle {known['bundle_name']}: with {target} it "
            "would have two. Give that file as FILE, or call airflow delete with it first."
        )
    return Publication(target, former)


def _known_to(client: AirflowClient, dag_id: str) -> dict[str, Any] | None:
    try:
        dag = client.dag(dag_id)
    except NotFoundError:
        return None
    return None if dag["is_stale"] or not dag.get("relative_fileloc") else dag


def _is_at(file: DagFile, dag: Mapping[str, Any]) -> bool:
    """Airflow says a file's path below its bundle; it may see the folder under another one."""
    theirs = PurePosixPath(dag["relative_fileloc"]).parts
    return PurePosixPath(str(file)).parts[-len(theirs) :] == theirs


def _of_dag(dag_id: str, files: Iterable[DagFile]) -> Iterable[tuple[DagFile, str]]:
    for file in files:
        text = file.read()
        if text is not None and _defines(text, dag_id):
            yield file, text


def _defines(text: str, dag_id: str) -> bool:
    try:
        return read_record(text).dag_id == dag_id
    except NotOursError:
        return False
    except BridgeError:
        return True  # an export of this bridge that cannot be read; its name says whose

"""Finds the runs that a run led to by the events that it published."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from metaflow_airflow.airflow_api.client import AirflowClient, UnreachableError

from pipeline.flows import Flow
from pipeline.outcome import Run

_PATIENCE = 90.0  # seconds
_SETTING = "AIRFLOW__CORE__ASSET_MANAGER_CLASS=metaflow_airflow.operators.event_queue.EventQueue"


class Events:
    """Looks for runs whose events a known run published.

    Args:
        awaited: how many runs of each flow will come, in the order in which one leads to the next.
        since: nothing that began before this time (ISO 8601) is looked at.
    """

    def __init__(self, client: AirflowClient, awaited: Mapping[Flow, int], since: str) -> None:
        self._client = client
        self._awaited = dict(awaited)
        self._since = since
        self._others: set[tuple[str, str]] = set()
        self._missed: float | None = None

    def find(self, known: Sequence[Run]) -> list[Run]:
        """Runs that are not known yet."""
        found: list[Run] = []
        for flow, number in self._awaited.items():
            runs = [*known, *found]
            if _number(runs, flow) < number:
                found += self._new(flow.dag_id, {(run.dag_id, run.run_id) for run in runs})
        return found

    def lacking(self, runs: Sequence[Run]) -> str:
        """What to do about runs that should have come long ago; "" while there is hope.

        Args:
            runs: all that is known, of which none goes on.
        """
        missing = [flow for flow, number in self._awaited.items() if _number(runs, flow) < number]
        if not missing:
            self._missed = None
            return ""
        if self._missed is None:
            self._missed = time.monotonic()
        if time.monotonic() - self._missed < _PATIENCE:
            return ""
        flow = missing[0]
        return (
            f"events started {_number(runs, flow)} runs of {flow.dag_id} within {_PATIENCE:.0f} s, "
            f"not the {self._awaited[flow]} that they should. Is the DAG paused, or exported with "
            f"--no-triggers? Airflow's servers need {_SETTING} (docs/events.md)."
        )

    @property
    def number(self) -> int:
        """How many runs will come."""
        return sum(self._awaited.values())

    def _new(self, dag_id: str, known: set[tuple[str, str]]) -> list[Run]:
        found = []
        asked = {"run_type": "asset_triggered", "start_date_gte": self._since}
        for each in self._client.runs(dag_id, **asked):
            key = dag_id, str(each["dag_run_id"])
            if key in known or key in self._others:
                continue
            try:
                events = self._client.events_of_run(*key)
            except UnreachableError:
                continue  # Airflow 3.3 cannot say while another run of the event is queued
            ours = [e for e in events if (e["source_dag_id"], e["source_run_id"]) in known]
            if ours:
                found.append(Run(*key, partition=ours[0]["partition_key"] or ""))
            else:
                self._others.add(key)
        return found


def _number(runs: Sequence[Run], flow: Flow) -> int:
    return sum(run.dag_id == flow.dag_id for run in runs)

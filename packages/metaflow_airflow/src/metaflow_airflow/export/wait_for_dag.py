"""Waits until Airflow has a DAG file, or can say why not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from metaflow_airflow.airflow_api.client import AirflowClient, AirflowError, NotFoundError
from metaflow_airflow.airflow_api.import_errors import FailureWatch, ImportFailure, failures_of
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.export.places import DagFile

_PAUSE = 0.5
_NOT_INSTALLED = "No module named 'metaflow_airflow'"


class NotLoadedError(BridgeError):
    """Airflow has parsed the file and does not take it."""


@dataclass
class DagWait:
    """The wait for one DAG; made before its file is written.

    Args:
        deadline: seconds. tell: called once when it takes a while.
    """

    client: AirflowClient
    dag_id: str
    file: DagFile
    deadline: float
    tell: Callable[[str], None]

    def __post_init__(self) -> None:
        self._failures = FailureWatch(self._now())

    def until_loaded(self, text: str) -> None:
        """Return when Airflow serves exactly this text as the DAG's source.

        Raises:
            NotLoadedError: Airflow says why it does not load the file.
            AirflowError: the file did not appear in time, or is another one by now.
        """
        began = time.monotonic()
        told = False
        while True:
            seen = self._source()
            if seen == text:
                return
            if failure := self._failures.first_new(self._now()):
                raise NotLoadedError(self._why(failure.stack_trace))
            waited = time.monotonic() - began
            if self.file.read() != text:
                raise AirflowError(
                    f"{self.file.name} was exported or deleted by somebody else meanwhile: Airflow "
                    "gets their version, not this one. Agree with them, then call create again."
                )
            if waited > self.deadline:
                raise AirflowError(
                    f"Airflow at {self.client.url} did not load {self.dag_id} within "
                    f"{self.deadline:.0f} s (it has {'nothing' if seen is None else 'an older'}"
                    f"{'' if seen is None else ' export'}). Does it read the place of "
                    f"{self.file.name}? [dag_processor] refresh_interval says how often it looks "
                    "(300 s unless set)."
                )
            if waited > 5 and not told:
                self.tell(f"Waiting until Airflow at {self.client.url} has loaded {self.dag_id}...")
                told = True
            time.sleep(_PAUSE)

    def _source(self) -> str | None:
        try:
            return self.client.source(self.dag_id)
        except NotFoundError:
            return None

    def _now(self) -> list[ImportFailure]:
        return failures_of(self.client.all_import_errors(), str(self.file))

    def _why(self, stack_trace: str) -> str:
        text = f"Airflow could not load {self.file.name}:\n{stack_trace}"
        if _NOT_INSTALLED in stack_trace:
            text += "\nInstall metaflow-airflow where Airflow's DAG processor runs."
        return text

"""A step as a process on the Airflow worker."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from metaflow_airflow.operators.base import MetaflowStepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from metaflow_airflow.runtime.worker.step_process import StepProcess
    from metaflow_airflow.wire.task import StepResult, StepTask

PYTHON_VARIABLE = "METAFLOW_AIRFLOW_PYTHON"


class MetaflowProcessOperator(MetaflowStepOperator):
    """Runs the step in a process of its own, with the Python that $METAFLOW_AIRFLOW_PYTHON names.

    Without that variable the worker's own Python runs it, which then needs what the flow imports.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._process: StepProcess | None = None

    def run_step(self, task: StepTask, context: Context) -> StepResult:
        """Run the launcher; its lines go to the task's log."""
        from metaflow_airflow.runtime.worker.step_process import StepProcess

        self._process = StepProcess(
            task,
            python=os.environ.get(PYTHON_VARIABLE, sys.executable),
            on_line=self._log_line,
            environ={**os.environ, **self._credentials()},
        )
        return self._process.run()

    def on_kill(self) -> None:
        """End the step's process group."""
        if self._process is not None:
            self._process.terminate()

    def _credentials(self) -> dict[str, str]:
        conn_id = self.definition.deployment.connection
        if conn_id is None:
            return {}
        from metaflow_airflow.operators.credentials import credentials

        return credentials(conn_id)

    def _log_line(self, stream: str, line: str) -> None:
        self.log.info("%s", line)

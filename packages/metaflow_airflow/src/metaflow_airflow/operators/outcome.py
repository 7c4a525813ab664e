"""The task that gives a run with exit hooks the outcome of its last step."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, Context

from metaflow_airflow.attempt.recipe import Need
from metaflow_airflow.compat.airflow import AirflowFailException
from metaflow_airflow.operators.fetch import outcomes


class MetaflowOutcomeOperator(BaseOperator):
    """Fails unless the flow's last step succeeded.

    Airflow skips what has not started when somebody marks a run failed, and lets the exit hooks
    run; then it takes the skipped last step for a success.

    Args:
        last: the flow's last step.
    """

    ui_color = "#f0f0f5"

    def __init__(self, *, last: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.last = last

    def execute(self, context: Context) -> None:
        """Look at the last step's state.

        Raises:
            AirflowFailException: it did not succeed.
        """
        if not outcomes(context["ti"], Need(self.last, may_skip=True)):
            raise AirflowFailException(f"The run failed: its last step, {self.last}, did not end.")

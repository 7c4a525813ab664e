"""What every way to run a step on a worker shares; what it does there is in execution.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from metaflow_airflow.attempt.step_definition import StepDefinition

if TYPE_CHECKING:
    from airflow.sdk import Context

    from metaflow_airflow.wire.task import StepResult, StepTask


class MetaflowStepOperator(BaseOperator):
    """One step of a flow; a subclass says where it runs.

    Args:
        definition: the step. item: the item of the innermost foreach, {path, parent, label}.
    """

    template_fields: Sequence[str] = ("item",)
    ui_color = "#e6f4f1"

    def __init__(self, *, definition: StepDefinition, item: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.definition = definition
        self.item = item

    def run_step(self, task: StepTask, context: Context) -> StepResult:
        """Run the attempt to its end."""
        raise NotImplementedError

    def execute(self, context: Context) -> list[dict[str, Any]] | None:
        """Run the step; a foreach step returns its items, for Airflow to map over.

        Raises:
            AirflowSkipException: a switch chose another step.
            AirflowException: the step failed; the text says with what.
            AirflowFailException: the step failed and wants no retry, or made too many items.
        """
        # Parsing a DAG file, which happens far more often, does not need it.
        from metaflow_airflow.operators.execution import execute

        return execute(self, context)

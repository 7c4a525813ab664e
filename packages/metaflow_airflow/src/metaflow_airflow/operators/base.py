"""What every way to run a step on a worker shares: from Airflow's context to its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
)

from metaflow_airflow.operators import references
from metaflow_airflow.operators.attempt import (
    StepDefinition,
    Try,
    chosen_inputs,
    reference,
    step_task,
    upstream_map_index,
)
from metaflow_airflow.operators.inputs import XCOM_KEY, Reference, Upstream, item
from metaflow_airflow.operators.items import check_length
from metaflow_airflow.runtime.resume import KEY as RESUME_KEY
from metaflow_airflow.runtime.task import StepResult, StepTask

if TYPE_CHECKING:
    from airflow.sdk import Context


# Another attempt would end the same way: Metaflow's exit code for that, the launcher's for a
# setting that is wrong.
_NO_RETRY = (202, 78)


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
        self._check_parameters(context)
        this = self._try(context)
        sources = [
            (upstream, self._references(upstream, this, context))
            for upstream in self.definition.upstream
        ]
        inputs, why_not = chosen_inputs(self.definition, this.path, sources)
        if why_not:
            raise AirflowSkipException(why_not)
        task = step_task(self.definition, this, inputs)
        self.log.info("Metaflow task %s, attempt %d", task.pathspec, task.attempt)
        result = self.run_step(task, context)
        if not result.ok:
            error = AirflowFailException if result.exit_code in _NO_RETRY else AirflowException
            raise error(f"Step {task.pathspec} failed: {result.reason}")
        outcome = reference(this, task, result)
        context["ti"].xcom_push(key=XCOM_KEY, value=outcome.to_xcom())
        if result.cardinality is None:
            return None
        if self.definition.depth == 0:
            check_length(self.definition.step.name, result.cardinality)
        return [item(outcome, index) for index in range(result.cardinality)]

    def _check_parameters(self, context: Context) -> None:
        known = sorted(context["dag"].params)
        unknown = sorted({*context["params"]} - {*known, RESUME_KEY})
        if unknown and not self.definition.upstream:
            raise AirflowFailException(
                f"The run was triggered with {', '.join(unknown)}: flow {self.definition.flow} has "
                f"no such parameter (it has: {', '.join(known) or 'none'}). Trigger it without."
            )

    def _try(self, context: Context) -> Try:
        ti = context["ti"]
        return Try(
            dag_id=ti.dag_id,
            dag_run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=-1 if ti.map_index is None else ti.map_index,
            try_number=ti.try_number,
            max_tries=ti.max_tries,
            path=tuple(self.item["path"]) if self.item else (),
            params=context["params"],
        )

    def _references(self, upstream: Upstream, this: Try, context: Context) -> list[Reference]:
        parent = self.item["parent"] if self.item else -1
        map_index = upstream_map_index(self.definition, upstream, this.map_index, parent)
        if map_index is None:
            return references.of_all(context, upstream.step)
        may_skip = self.definition.may_skip
        return references.of_one(context, upstream.step, map_index, may_skip=may_skip)

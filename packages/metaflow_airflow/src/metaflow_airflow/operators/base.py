"""What every way to run a step on a worker shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.operators.links import STEP_LINKS, ui_link

if TYPE_CHECKING:
    from airflow.sdk import Context

    from metaflow_airflow.attempt.inputs import Reference
    from metaflow_airflow.attempt.recipe import Failed
    from metaflow_airflow.attempt.tries import Try
    from metaflow_airflow.wire.task import StepResult, StepTask

FAILED_KEY = "metaflow_failed"
"""Under which a task instance keeps the tries in which the step itself failed."""


class MetaflowStepOperator(BaseOperator):
    """One step of a flow; a subclass says where it runs.

    Args:
        definition: the step. item: the item of the innermost foreach, {path, parent, label}.
    """

    template_fields: Sequence[str] = ("item",)
    ui_color = "#e6f4f1"
    operator_extra_links = STEP_LINKS

    def __init__(self, *, definition: StepDefinition, item: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.definition = definition
        self.item = item
        self.links: dict[str, str] = {}
        self._ended: tuple[StepTask, StepResult, dict[str, Any]] | None = None

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
        # Parsing a DAG file, which happens far more often, needs none of it.
        from metaflow_airflow.attempt import recipe
        from metaflow_airflow.attempt.inputs import DATASETS_KEY
        from metaflow_airflow.compat import airflow as compat
        from metaflow_airflow.compat import airflow_memory
        from metaflow_airflow.operators import fetch
        from metaflow_airflow.operators.site import most_items

        ti = context["ti"]
        this = fetch.this_try(
            context,
            self.item,
            max_tries=ti.max_tries,
            failed=airflow_memory.recall(context, FAILED_KEY, []),
        )
        found = [fetch.outcomes(ti, need) for need in recipe.needed(self.definition, this)]
        todo = recipe.decide(self.definition, this, found)
        if isinstance(todo, recipe.Refuse):
            raise compat.AirflowFailException(todo.sentence)
        if isinstance(todo, recipe.Skip):
            raise compat.AirflowSkipException(todo.why)
        self.log.info("Metaflow task %s, attempt %d", todo.task.pathspec, todo.task.attempt)
        try:
            result = self.run_step(todo.task, context)
        except compat.AirflowTaskTimeout as error:
            sentence = f"Step {todo.task.pathspec} failed: {error}"
            end = recipe.failed(self.definition, this, sentence, final=False, own=True)
            raise self._failure(end, this, context) from error
        self.links |= ui_link(todo.task.flow, todo.task.pathspec_of(result))
        self._ended = todo.task, result, dict(context["params"])
        if result.datasets:
            compat.push_xcom(context, DATASETS_KEY, result.datasets)
        outcome = recipe.conclude(self.definition, this, todo.task, result, most_items())
        if isinstance(outcome, recipe.Failed):
            raise self._failure(outcome, this, context)
        self.succeed(outcome.outcome, context)
        return outcome.items

    def _failure(self, end: Failed, this: Try, context: Context) -> Exception:
        """What to raise for a failure; the next try knows whose it was."""
        from metaflow_airflow.attempt.tries import failed_tries
        from metaflow_airflow.compat import airflow as compat
        from metaflow_airflow.compat import airflow_memory

        if not end.retry:
            return compat.AirflowFailException(end.sentence)
        if end.own:
            airflow_memory.remember(context, FAILED_KEY, failed_tries(this, own=True))
        return compat.AirflowException(end.sentence)

    def succeed(self, outcome: Reference, context: Context) -> None:
        """Tell those after the step of it, and give the events that it publishes their payload.

        Airflow publishes them when it records the task's success, in the same transaction.
        """
        from metaflow_airflow.attempt.inputs import XCOM_KEY
        from metaflow_airflow.attempt.run_events import end_of_run
        from metaflow_airflow.compat.airflow import push_xcom

        push_xcom(context, XCOM_KEY, outcome.to_xcom())
        definition = self.definition
        payload = end_of_run(definition.flow, definition.project, outcome.pathspec)
        for asset in self.outlets:
            said = (outcome.assets or {}).get(asset.name, {})
            context["outlet_events"][asset].extra = {**said, "name": asset.name, **payload}

    def get_openlineage_facets_on_start(self) -> Any:
        """What OpenLineage's provider, which alone calls this, tells of the step."""
        from metaflow_airflow.operators import lineage_facets

        return lineage_facets.of_step(self.definition)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """The same, with the Metaflow task and what it read and wrote; of a failed one too."""
        from metaflow_airflow.operators import lineage_facets

        if self._ended is None:
            return lineage_facets.of_step(self.definition)
        return lineage_facets.of_attempt(self.definition, *self._ended)

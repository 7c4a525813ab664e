"""What a step's operator does on a worker: from Airflow's context to the end of the step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
)

from metaflow_airflow.attempt.inputs import XCOM_KEY, Reference, Upstream, item
from metaflow_airflow.attempt.tries import (
    Try,
    chosen_inputs,
    reference,
    step_task,
    upstream_map_index,
)
from metaflow_airflow.operators import references
from metaflow_airflow.operators.items import check_length
from metaflow_airflow.wire.resumption import KEY as RESUME_KEY

if TYPE_CHECKING:
    from airflow.sdk import Context

    from metaflow_airflow.operators.base import MetaflowStepOperator

# Another attempt would end the same way: Metaflow's exit code for that, the launcher's for a
# setting that is wrong.
_NO_RETRY = (202, 78)


def execute(operator: MetaflowStepOperator, context: Context) -> list[dict[str, Any]] | None:
    """Run the step; see MetaflowStepOperator.execute."""
    _check_parameters(operator, context)
    this = _try(operator, context)
    sources = [
        (upstream, _references(operator, upstream, this, context))
        for upstream in operator.definition.upstream
    ]
    inputs, why_not = chosen_inputs(operator.definition, this.path, sources)
    if why_not:
        raise AirflowSkipException(why_not)
    task = step_task(operator.definition, this, inputs)
    operator.log.info("Metaflow task %s, attempt %d", task.pathspec, task.attempt)
    result = operator.run_step(task, context)
    if not result.ok:
        error = AirflowFailException if result.exit_code in _NO_RETRY else AirflowException
        raise error(f"Step {task.pathspec} failed: {result.reason}")
    outcome = reference(this, task, result)
    context["ti"].xcom_push(key=XCOM_KEY, value=outcome.to_xcom())
    if result.cardinality is None:
        return None
    if operator.definition.depth == 0:
        check_length(operator.definition.step.name, result.cardinality)
    return [item(outcome, index) for index in range(result.cardinality)]


def _check_parameters(operator: MetaflowStepOperator, context: Context) -> None:
    known = sorted(context["dag"].params)
    unknown = sorted({*context["params"]} - {*known, RESUME_KEY})
    if unknown and not operator.definition.upstream:
        raise AirflowFailException(
            f"The run was triggered with {', '.join(unknown)}: flow {operator.definition.flow} has "
            f"no such parameter (it has: {', '.join(known) or 'none'}). Trigger it without."
        )


def _try(operator: MetaflowStepOperator, context: Context) -> Try:
    ti = context["ti"]
    return Try(
        dag_id=ti.dag_id,
        dag_run_id=ti.run_id,
        task_id=ti.task_id,
        map_index=-1 if ti.map_index is None else ti.map_index,
        try_number=ti.try_number,
        max_tries=ti.max_tries,
        path=tuple(operator.item["path"]) if operator.item else (),
        params=context["params"],
    )


def _references(
    operator: MetaflowStepOperator, upstream: Upstream, this: Try, context: Context
) -> list[Reference]:
    parent = operator.item["parent"] if operator.item else -1
    map_index = upstream_map_index(operator.definition, upstream, this.map_index, parent)
    if map_index is None:
        return references.of_all(context, upstream.step)
    may_skip = operator.definition.may_skip
    return references.of_one(context, upstream.step, map_index, may_skip=may_skip)

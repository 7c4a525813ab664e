"""What one try of a step's task does, on a worker as in the triggerer. Pure.

Both fetch what `needed` names, do what `decide` says, and report what `conclude` makes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from metaflow_airflow.attempt.inputs import Reference, item, label
from metaflow_airflow.attempt.run_events import parameters_of
from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.attempt.tries import Try, chosen_inputs, life_of, reference, step_task
from metaflow_airflow.wire.resumption import KEY as RESUME_KEY
from metaflow_airflow.wire.task import StepResult, StepTask


@dataclass(frozen=True)
class Need:
    """The outcomes of a step that a try asks for.

    Args:
        map_index: of the one task instance that counts; None: all of a mapped task.
        may_skip: whether it may have been skipped. What it said in an earlier life is still there
            then, and counts for nothing.
    """

    step: str
    map_index: int | None = -1
    may_skip: bool = False


@dataclass(frozen=True)
class Run:
    """The try runs this attempt of a Metaflow task."""

    task: StepTask


@dataclass(frozen=True)
class Skip:
    """The try has nothing to do."""

    why: str


@dataclass(frozen=True)
class Refuse:
    """The try fails before it has begun, and a retry would fail alike."""

    sentence: str


@dataclass(frozen=True)
class Done:
    """The attempt ended well.

    Args:
        outcome: what those after it need to know.
        items: of a foreach step that Airflow maps over as it is; None for all others.
    """

    outcome: Reference
    items: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class Failed:
    """The attempt failed.

    Args:
        retry: whether another one is worth it, and the step has one left.
        own: whether the step itself failed; what is around it has a budget of its own.
    """

    sentence: str
    retry: bool = True
    own: bool = True


def needed(definition: StepDefinition, this: Try) -> list[Need]:
    """The outcomes that the try asks for: one a step before it, in the definition's order."""
    found = []
    for upstream in definition.upstream:
        map_index: int | None
        if upstream.depth > definition.depth:
            map_index = None
        elif upstream.depth == 0:
            map_index = -1
        elif upstream.depth == definition.depth:
            map_index = this.map_index
        else:
            map_index = this.parent
        found.append(Need(upstream.step, map_index, definition.may_skip))
    return found


def label_of(
    definition: StepDefinition, this: Try, found: Sequence[Sequence[Reference]]
) -> str | None:
    """What the UI shows of the try's item, where its task was not given it; None: nobody knows.

    Args:
        found: the outcomes for each of the needs, in their order.
    """
    if this.label or not this.path:
        return this.label
    for upstream, references in zip(definition.upstream, found, strict=True):
        for each in references:
            if upstream.step == definition.step.each and each.values:
                if each.path == tuple(this.path[:-1]):
                    return label(each, this.path[-1])
            elif upstream.depth == definition.depth and each.label:
                return each.label
    return None


def decide(
    definition: StepDefinition, this: Try, found: Sequence[Sequence[Reference]]
) -> Run | Skip | Refuse:
    """What the try does.

    Args:
        found: the outcomes for each of the needs, in their order.
    """
    unknown = sorted({*this.params} - {*this.declared, RESUME_KEY})
    if unknown and not definition.upstream:
        known = ", ".join(sorted(this.declared)) or "none"
        return Refuse(
            f"The run was triggered with {', '.join(unknown)}: flow {definition.flow} has no such "
            f"parameter (it has: {known}). Trigger it without."
        )
    if not definition.upstream and (lacking := _lacking(definition, this)):
        return Refuse(lacking)
    sources = list(zip(definition.upstream, found, strict=True))
    inputs, why_not = chosen_inputs(definition, this.path, sources)
    return Skip(why_not) if why_not else Run(step_task(definition, this, inputs))


def _lacking(definition: StepDefinition, this: Try) -> str:
    """Which required parameter the run has no value for; Airflow cannot ask, a DAG that starts by
    itself has a default for each."""
    if this.params.get(RESUME_KEY):
        return ""
    found, why = parameters_of(definition.triggers, this.events)
    if why:
        return why
    for trigger in definition.triggers:
        for name in trigger.required:
            if name not in found and this.params.get(name) is None:
                return (
                    f"Parameter *{name}* of flow {definition.flow} is required and has no default: "
                    f"trigger the run with it, or publish event {trigger.name}, which sets it."
                )
    return ""


def conclude(
    definition: StepDefinition,
    this: Try,
    task: StepTask,
    result: StepResult,
    most_items: int | None = None,
) -> Done | Failed:
    """What comes of a finished attempt.

    Args:
        most_items: that Airflow maps over; None where it maps over nothing that this task returns.
    """
    if not result.ok:
        return failed(
            definition,
            this,
            f"Step {task.pathspec_of(result)} failed: {result.reason}",
            final=result.is_final,
            own=not result.infrastructure,
        )
    outcome = reference(this, task, result)
    # The items of nested foreaches are joined by a task of their own, from the outcomes.
    if result.cardinality is None or most_items is None or definition.depth:
        return Done(outcome)
    too_many = too_many_items(definition.step.name, result.cardinality, most_items)
    if too_many:
        return Failed(too_many, retry=False)
    items = [item(outcome, index) for index in range(result.cardinality)]
    # Each of them reads the outcome, and knows its own value by its item.
    return Done(replace(outcome, values=()), items)


def failed(
    definition: StepDefinition, this: Try, sentence: str, *, final: bool, own: bool
) -> Failed:
    """What comes of an attempt that failed.

    Args:
        final: another attempt would end the same way. own: whether the step itself failed.
    """
    life = life_of(definition, this)
    if own or final:
        # The iterations of a loop have retries of their own, which its launcher counts.
        used_up = life.failures >= definition.retries and not definition.step.loop
        return Failed(sentence, retry=not (final or used_up))
    if len(life.lost) < definition.budget:
        lost = f"the infrastructure lost this try, {len(life.lost) + 1} of {definition.budget}"
        sentence = f"{sentence} ({lost} that cost the step none of its retries)"
    elif definition.budget:
        sentence = f"{sentence} (the infrastructure has lost more than {definition.budget} tries)"
    return Failed(sentence, own=False)


def too_many_items(step: str, items: int, most: int) -> str:
    """Why Airflow would not map over that many items of a foreach; empty if it would.

    To be asked before the list is made: millions of items take gigabytes.
    """
    if items <= most:
        return ""
    return (
        f"Step {step} made {items} items for its foreach, but Airflow maps over at most {most} "
        "([core] max_map_length). Set AIRFLOW__CORE__MAX_MAP_LENGTH higher for the API server and "
        "the workers and clear the task, or let an item stand for several."
    )

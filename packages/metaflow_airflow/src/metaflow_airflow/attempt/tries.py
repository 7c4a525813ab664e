"""From one try of an Airflow task to one attempt of a Metaflow task, wherever it runs. No I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from metaflow_airflow.attempt.inputs import Reference, Upstream, taken
from metaflow_airflow.attempt.run_events import Event, parameters_of, said_to_step
from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.plan.step import Deployment, Python
from metaflow_airflow.wire import ids
from metaflow_airflow.wire.resumption import Resume, split
from metaflow_airflow.wire.task import (
    RETRY_COUNT_VARIABLE,
    Clone,
    Init,
    Loop,
    StepResult,
    StepTask,
)


@dataclass(frozen=True)
class Try:
    """One try of a task instance, in Airflow's words.

    Args:
        map_index: -1 when the task is not mapped.
        path: the indexes of its item, outermost foreach first.
        params: of the DAG run. declared: the names of those that the DAG has.
        parent: the map index of the foreach task that made the item.
        label: what the UI shows of the item.
        events: that started the run.
        failed: the tries in which the step itself failed; None: all before this one.
        times: of the run, ISO 8601, where it has them: logical_date, data_interval_start,
            data_interval_end; and its partition_key.
    """

    dag_id: str
    dag_run_id: str
    task_id: str
    map_index: int
    try_number: int
    max_tries: int
    path: tuple[int, ...]
    params: Mapping[str, Any]
    declared: frozenset[str] = frozenset()
    parent: int = -1
    label: str | None = None
    events: tuple[Event, ...] = ()
    failed: tuple[int, ...] | None = None
    times: Mapping[str, str] = field(default_factory=dict)


def chosen_inputs(
    definition: StepDefinition,
    path: Sequence[int],
    sources: Iterable[tuple[Upstream, Sequence[Reference]]],
) -> tuple[list[Reference], str]:
    """The references that the step takes; none when it was not chosen, and then the reason."""
    sources = list(sources)
    found = taken(definition.step.name, path, sources)
    if definition.hooks:
        ended = "succeeded" if _succeeded(definition, found) else "failed"
        return found, "" if _hooks(definition, found) else f"no exit hook for a run that {ended}"
    if found or not definition.upstream:
        return found, ""
    choices = {r.choice for _, references in sources for r in references if r.choice}
    picked = f" (chosen: {', '.join(sorted(choices))})" if choices else ""
    return [], f"{definition.step.name} was not chosen{picked}"


def life_of(definition: StepDefinition, this: Try) -> ids.Life:
    """Where a try stands."""
    return ids.life(
        try_number=this.try_number,
        max_tries=this.max_tries,
        retries=definition.retries,
        user_retries=definition.step.user_retries,
        budget=definition.budget,
        failed=this.failed,
    )


def step_task(definition: StepDefinition, this: Try, inputs: Sequence[Reference]) -> StepTask:
    """The attempt of the Metaflow task that a try stands for."""
    deployment, step = definition.deployment, definition.step
    life = life_of(definition, this)
    code = _code(deployment, inputs, cleared=life.cleared)
    parameters, resume = split(this.params)
    set_by_events, _ = parameters_of(definition.triggers, this.events)
    parameters_id = ids.parameters_task_id(
        {**parameters, **set_by_events}, code["sha"] if life.cleared else ""
    )
    run_id = ids.run_id(this.dag_id, this.dag_run_id)
    init = clone = None
    if not definition.upstream:
        origin = resume.run if resume and not resume.changed else None
        texts = {
            name: json.dumps(value, ensure_ascii=False)
            for name, value in parameters.items()
            if name in deployment.json_parameters
            and (value is not None or name in deployment.null_parameters)
        }
        # An event's text for a JSON parameter is its JSON, as Metaflow's other scheduler has it.
        texts |= set_by_events
        init = Init(task_id=parameters_id, parameters={**parameters, **texts}, clone=origin)
    if resume and not life.cleared and not definition.hooks:
        clone = _clone(step.name, this, resume, inputs, parameters_id)
    first = ids.task_id(run_id, step.name, this.path)
    loop = None
    if step.loop:
        loop = Loop(
            first=first,
            most=step.loop,
            number=this.try_number - 1,
            begin=life.begin,
            retries=step.retries,
            user_retries=step.user_retries,
            lost=life.lost,
        )
    python = step.python or deployment.python or Python("python")
    events = said_to_step(definition.triggers, this.events)
    return StepTask(
        flow=definition.flow,
        script=deployment.script,
        code_url=code["url"],
        code_sha=code["sha"],
        code_metadata=code.get("metadata", ""),
        datastore=deployment.datastore,
        datastore_root=deployment.datastore_root,
        options=(
            "--quiet",
            "--no-pylint",
            f"--datastore={deployment.datastore}",
            f"--datastore-root={deployment.datastore_root}",
            *deployment.options,
        ),
        step=step.name,
        run_id=run_id,
        # Each iteration of a loop counts its attempts by itself.
        task_id=first if loop else ids.next_generation(first, life.generation),
        attempt=life.attempt,
        max_user_code_retries=life.max_user_code_retries,
        input_paths=tuple(reference.pathspec for reference in inputs),
        split_index=this.path[-1] if step.each and step.each in step.after else None,
        decospecs=(*deployment.decorators, *step.decorators, "airflow_internal"),
        tags=deployment.tags,
        namespace=deployment.namespace,
        origin_run_id=resume.run if resume else None,
        init=init,
        clone=clone,
        loop=loop,
        hooks=_hooks(definition, inputs),
        owner=deployment.owner,
        production_token=deployment.production_token,
        bootstrap=tuple(python.bootstrap),
        executable=python.executable,
        defaults=deployment.environment,
        env={
            **step.environment,
            "METAFLOW_AIRFLOW_DAG_ID": this.dag_id,
            "METAFLOW_AIRFLOW_DAG_RUN_ID": this.dag_run_id,
            "METAFLOW_AIRFLOW_TASK_ID": this.task_id,
            "METAFLOW_AIRFLOW_MAP_INDEX": str(this.map_index),
            "METAFLOW_AIRFLOW_TRY_NUMBER": str(this.try_number),
            RETRY_COUNT_VARIABLE: str(life.retry_count),
            # ArgoEvent.safe_publish() publishes where this is set.
            "ARGO_WORKFLOW_TEMPLATE": this.dag_id,
            **{f"METAFLOW_AIRFLOW_{name.upper()}": value for name, value in this.times.items()},
            **({"METAFLOW_AIRFLOW_TRIGGERS": events} if events else {}),
        },
    )


def reference(this: Try, task: StepTask, result: StepResult) -> Reference:
    """What those after it need to know of a finished attempt."""
    return Reference(
        pathspec=task.pathspec_of(result),
        path=this.path,
        map_index=this.map_index,
        cardinality=result.cardinality,
        choice=result.choice,
        code={"url": task.code_url, "sha": task.code_sha, "metadata": task.code_metadata},
        copied=result.copied,
        label=this.label,
        values=result.values or (),
        assets=result.assets,
    )


def life_record(this: Try, granted: int, *, own: bool) -> dict[str, Any]:
    """What a try that fails leaves for its retry, where Airflow tells no `max_tries`.

    Args:
        granted: Airflow's retries. own: whether the step itself failed.
    """
    return {
        "try": this.try_number,
        "begin": this.max_tries - granted,
        "failed": failed_tries(this, own=own),
    }


def failed_tries(this: Try, *, own: bool) -> list[int]:
    """The tries in which the step itself failed, with this one if it did."""
    before = range(1, this.try_number) if this.failed is None else this.failed
    return [*before, *([this.try_number] if own else [])]


def begin_of_life(try_number: int, granted: int, record: Mapping[str, Any] | None) -> int:
    """How many tries there were before the life of this one (see ids.life).

    Args:
        granted: Airflow's retries. record: the newest life_record of the task instance.
    """
    before = try_number - 1
    # A try that failed is followed by its retry; what ended otherwise was cleared.
    if record and record["try"] == before and before <= record["begin"] + granted:
        return int(record["begin"])
    return before


def _succeeded(definition: StepDefinition, found: Sequence[Reference]) -> bool:
    """Whether the flow's last step, the last upstream of its hooks, has ended well."""
    last = definition.upstream[-1].step
    return any(reference.pathspec.split("/")[1] == last for reference in found)


def _hooks(definition: StepDefinition, found: Sequence[Reference]) -> tuple[str, ...]:
    if definition.hooks is None:
        return ()
    if _succeeded(definition, found):
        return definition.hooks.on_success
    return definition.hooks.on_error


def _clone(
    step: str, this: Try, resume: Resume, inputs: Sequence[Reference], parameters_id: str
) -> Clone | None:
    """The task that the try's may copy: none once anything before it has run anew."""
    began = [reference.copied for reference in inputs]
    if step == resume.rerun or None in began:
        return None
    return Clone(
        pathspec=f"{resume.run}/{step}/{ids.task_id(resume.run, step, this.path)}",
        inputs_began=max((each for each in began if each is not None), default=0.0),
        parameters=parameters_id if resume.changed else None,
    )


def _code(
    deployment: Deployment, inputs: Sequence[Reference], *, cleared: bool
) -> Mapping[str, str]:
    """The code that the attempt runs.

    A run keeps the code that it started with, though the flow is exported again meanwhile; a
    step that somebody clears runs the newest code, and so do those after it.
    """
    newest = {
        "url": deployment.code,
        "sha": deployment.code_sha,
        "metadata": deployment.code_metadata,
    }
    carried = [reference.code for reference in inputs if reference.code]
    if cleared or not carried or newest in carried:
        return newest
    return carried[0]

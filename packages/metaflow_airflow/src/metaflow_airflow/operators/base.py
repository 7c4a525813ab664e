"""What every way to run a step shares: from Airflow's context to an attempt of a Metaflow task."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
)

from metaflow_airflow.operators import references
from metaflow_airflow.operators.inputs import XCOM_KEY, Reference, Upstream, item, taken
from metaflow_airflow.plan.model import Deployment, PlannedStep
from metaflow_airflow.runtime import ids
from metaflow_airflow.runtime.task import Init, StepResult, StepTask

if TYPE_CHECKING:
    from airflow.sdk import Context


# Another attempt would end the same way: Metaflow's exit code for that, the launcher's for a
# setting that is wrong.
_NO_RETRY = (202, 78)


class MetaflowStepOperator(BaseOperator):
    """One step of a flow; a subclass says where it runs.

    Args:
        flow: the flow's name. deployment: its code and datastore.
        step: what the plan says of the step. upstream: the steps whose outcome it takes.
        depth: how many foreaches are open around it. may_skip: a switch stands before it.
        item: the item of the innermost one, {path, parent, label}.
    """

    template_fields: Sequence[str] = ("item",)
    ui_color = "#e6f4f1"

    def __init__(
        self,
        *,
        flow: str,
        deployment: Deployment,
        step: PlannedStep,
        upstream: Sequence[Upstream],
        depth: int,
        may_skip: bool,
        item: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.flow = flow
        self.deployment = deployment
        self.step = step
        self.upstream = upstream
        self.depth = depth
        self.may_skip = may_skip
        self.item = item

    def run_step(self, task: StepTask, context: Context) -> StepResult:
        """Run the attempt to its end."""
        raise NotImplementedError

    def execute(self, context: Context) -> list[dict[str, Any]] | None:
        """Run the step; a foreach step returns its items, for Airflow to map over.

        Raises:
            AirflowSkipException: a switch chose another step.
            AirflowException: the step failed; the text says with what.
            AirflowFailException: the step failed and wants no retry.
        """
        inputs = self._inputs(context)
        task = self.step_task(context, inputs)
        self.log.info("Metaflow task %s, attempt %d", task.pathspec, task.attempt)
        result = self.run_step(task, context)
        if not result.ok:
            error = AirflowFailException if result.exit_code in _NO_RETRY else AirflowException
            raise error(f"Step {task.pathspec} failed: {result.reason}")
        reference = Reference(
            pathspec=task.pathspec,
            path=self._path,
            map_index=_map_index(context),
            cardinality=result.cardinality,
            choice=result.choice,
            code={
                "url": task.code_url,
                "sha": task.code_sha,
                "metadata": task.code_metadata,
            },
        )
        context["ti"].xcom_push(key=XCOM_KEY, value=reference.to_xcom())
        if result.cardinality is None:
            return None
        return [item(reference, index) for index in range(result.cardinality)]

    def step_task(self, context: Context, inputs: Sequence[Reference]) -> StepTask:
        """The attempt of the Metaflow task that this task instance stands for."""
        ti, dag_run = context["ti"], context["dag_run"]
        run_id = ids.run_id(ti.dag_id, ti.run_id)
        life = ids.life(
            try_number=ti.try_number,
            max_tries=ti.max_tries,
            retries=self.retries or 0,
            user_retries=self.step.user_retries,
        )
        code = self._code(inputs, cleared=life.cleared)
        init = None
        if not self.upstream:
            parameters = dict(context["params"])
            init = Init(task_id=ids.parameters_task_id(parameters), parameters=parameters)
        return StepTask(
            flow=self.flow,
            script=self.deployment.script,
            code_url=code["url"],
            code_sha=code["sha"],
            code_metadata=code.get("metadata", ""),
            datastore=self.deployment.datastore,
            datastore_root=self.deployment.datastore_root,
            options=(
                "--quiet",
                "--no-pylint",
                f"--datastore={self.deployment.datastore}",
                f"--datastore-root={self.deployment.datastore_root}",
                *self.deployment.options,
            ),
            step=self.step.name,
            run_id=run_id,
            task_id=ids.task_id(self._path, life.generation),
            attempt=life.attempt,
            max_user_code_retries=life.max_user_code_retries,
            input_paths=tuple(reference.pathspec for reference in inputs),
            split_index=self._split_index(),
            decospecs=(
                *self.deployment.decorators,
                *self.step.decorators,
                "airflow_internal",
            ),
            tags=self.deployment.tags,
            namespace=self.deployment.namespace,
            init=init,
            owner=self.deployment.owner,
            production_token=self.deployment.production_token,
            env={
                **{k: v for k, v in self.deployment.environment.items() if k not in os.environ},
                **self.step.environment,
                "METAFLOW_AIRFLOW_DAG_ID": ti.dag_id,
                "METAFLOW_AIRFLOW_DAG_RUN_ID": dag_run.run_id,
                "METAFLOW_AIRFLOW_TASK_ID": ti.task_id,
                "METAFLOW_AIRFLOW_MAP_INDEX": str(ti.map_index),
                "METAFLOW_AIRFLOW_TRY_NUMBER": str(ti.try_number),
            },
        )

    @property
    def _path(self) -> tuple[int, ...]:
        return tuple(self.item["path"]) if self.item else ()

    def _split_index(self) -> int | None:
        """The item's index, for the steps that a foreach step leads to."""
        if self.step.each and self.step.each in self.step.after:
            return self._path[-1]
        return None

    def _inputs(self, context: Context) -> list[Reference]:
        if not self.upstream:
            return []
        sources = [(upstream, self._references(upstream, context)) for upstream in self.upstream]
        found = taken(self.step.name, self._path, sources)
        if not found:
            chosen = {r.choice for _, found_there in sources for r in found_there if r.choice}
            raise AirflowSkipException(
                f"{self.step.name} was not chosen"
                + (f" (chosen: {', '.join(sorted(chosen))})" if chosen else "")
            )
        return found

    def _references(self, upstream: Upstream, context: Context) -> list[Reference]:
        if upstream.depth > self.depth:
            return references.of_all(context, upstream.step)
        if upstream.depth == 0:
            map_index = -1
        elif upstream.depth == self.depth:
            map_index = _map_index(context)
        else:
            map_index = self.item["parent"]
        return references.of_one(context, upstream.step, map_index, may_skip=self.may_skip)

    def _code(self, inputs: Sequence[Reference], *, cleared: bool) -> Mapping[str, str]:
        """The code that the attempt runs.

        A run keeps the code that it started with, though the flow is exported again meanwhile; a
        step that somebody clears runs the newest code, and so do those after it.
        """
        newest = {
            "url": self.deployment.code,
            "sha": self.deployment.code_sha,
            "metadata": self.deployment.code_metadata,
        }
        carried = [reference.code for reference in inputs if reference.code]
        if cleared or not carried or newest in carried:
            return newest
        return carried[0]


def _map_index(context: Context) -> int:
    index = context["ti"].map_index
    return -1 if index is None else index

"""A step as a pod that the triggerer runs: Airflow's side of `PodLife`. No worker is started."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog
from airflow.triggers.base import BaseTrigger, TriggerEvent

from metaflow_airflow.attempt import recipe, tries
from metaflow_airflow.attempt.inputs import DATASETS_KEY, XCOM_KEY, Reference
from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.attempt.tries import Try
from metaflow_airflow.compat import airflow as compat
from metaflow_airflow.operators import fetch, lineage_events
from metaflow_airflow.operators.cluster_connection import connect_cluster
from metaflow_airflow.operators.links import pod_link, ui_link
from metaflow_airflow.operators.site import this_site
from metaflow_airflow.plan.step import items_task
from metaflow_airflow.pods import names
from metaflow_airflow.pods.bounds import Bounds, OutOfBoundsError
from metaflow_airflow.pods.cluster_errors import ConnectError
from metaflow_airflow.pods.hub import Hub, Hubs
from metaflow_airflow.pods.life import PodLife
from metaflow_airflow.pods.patience import Limits
from metaflow_airflow.pods.spec import manifest
from metaflow_airflow.wire.task import StepResult, StepTask

LIFE_KEY = "metaflow_life"
_GRACE = 60  # seconds that Metaflow's own timeout has before ours
_ENDED = ("success", "failed", "skipped", "upstream_failed", "removed", "up_for_retry", None)


class PodTrigger(BaseTrigger):
    """Creates the pod of a step, follows it and ends the task.

    Args:
        definition: the step, as StepDefinition's JSON.
        conn_id: the Airflow connection that reaches the cluster.
    """

    def __init__(self, definition: str, conn_id: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.definition = definition
        self.conn_id = conn_id
        self._life: PodLife | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As Airflow keeps it."""
        arguments = {"definition": self.definition, "conn_id": self.conn_id}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Run the step; one event that ends the task, or hands a failure without retry on."""
        definition = StepDefinition.from_json(self.definition)
        if self.task is None:
            await self._end_removed(definition)
            yield compat.failed_event()
            return
        this = await self._try(definition)
        found = [
            await fetch.outcomes_in_trigger(self._ti, need)
            for need in recipe.needed(definition, this)
        ]
        this = replace(this, label=await self._label(definition, this, found))
        todo = recipe.decide(definition, this, found)
        if isinstance(todo, recipe.Skip):
            self.log.info("%s", todo.why)
            yield compat.skipped_event()
            return
        if isinstance(todo, recipe.Refuse):
            yield await self._failed(definition, this, recipe.Failed(todo.sentence, retry=False))
            return
        self.log.info("Metaflow task %s, attempt %d", todo.task.pathspec, todo.task.attempt)
        await lineage_events.started(definition, self._ti)
        async for event in self._run_pod(definition, this, todo.task):
            yield event
            # Airflow cancels this trigger when it has recorded the event, and the pod goes then
            # (on_kill): until that a triggerer that takes over still finds how the step ended.
            await asyncio.Event().wait()

    async def on_kill(self) -> None:
        """Delete the pod: the task has ended, or somebody marked or cleared it."""
        if self._life is not None:
            await self._life.delete()

    async def _run_pod(
        self, definition: StepDefinition, this: Try, task: StepTask
    ) -> AsyncIterator[TriggerEvent]:
        pod = definition.step.pod
        if pod is None:
            raise ValueError(f"step {definition.step} has no pod")
        seconds = definition.step.seconds + _GRACE if definition.step.seconds else None
        try:
            hub, identity = await self._hub(definition), await self._identity()
        except ConnectError as error:
            sentence = f"Step {task.pathspec} got no pod: {error}"
            no_pod = recipe.failed(definition, this, sentence, final=False, own=False)
            yield await self._failed(definition, this, no_pod, task)
            return
        links = ui_link(task.flow, task.pathspec)
        links |= pod_link(hub.cluster.namespace, identity.name)
        for key, address in links.items():
            await compat.push_in_trigger(self._ti, key, address)
        described = manifest(
            pod,
            task,
            name=identity.name,
            namespace=hub.cluster.namespace,
            labels=identity.labels,
            annotations=identity.annotations,
            deadline=int(seconds) if seconds else None,
        )
        try:
            described = Bounds.from_environment(os.environ).applied(described)
        except OutOfBoundsError as error:
            refused = recipe.Failed(f"Step {task.pathspec} got no pod: {error}.", retry=False)
            yield await self._failed(definition, this, refused, task)
            return
        self._life = PodLife(
            hub,
            identity,
            described,
            limits=Limits(run_pods=compat.limit_of_run(self._ti), seconds=seconds),
            on_line=_log_line,
            say=lambda text: self.log.info("%s", text),
            still_wanted=self._is_current,
        )
        ending = await self._life.run()
        if ending is None:
            self.log.info("Airflow no longer waits for this try")
            return
        if ending.result and ending.result.datasets:
            await compat.push_in_trigger(self._ti, DATASETS_KEY, ending.result.datasets)
        if not ending.ok or ending.result is None:
            sentence = f"Step {task.pathspec_of(ending.result)} failed: {ending.sentence}"
            own = not ending.infrastructure
            end = recipe.failed(definition, this, sentence, final=not ending.retry, own=own)
            yield await self._failed(definition, this, end, task, ending.result)
            return
        outcome = recipe.conclude(definition, this, task, ending.result)
        if isinstance(outcome, recipe.Failed):
            yield await self._failed(definition, this, outcome, task, ending.result)
            return
        await lineage_events.ended(definition, self._ti, task, ending.result)
        if definition.step.publishes:
            # Only a worker publishes events.
            event = {"outcome": outcome.outcome.to_xcom()}
            yield TriggerEvent(event)  # type: ignore[no-untyped-call]
            return
        yield compat.done_event({XCOM_KEY: outcome.outcome.to_xcom()})

    async def _end_removed(self, definition: StepDefinition) -> None:
        """The newest export has no such step: nothing could come after it."""
        self.log.error(
            "Step %s is not in the DAG any more: the flow was exported again without it while "
            "this run went on. Its pod is deleted; start a new run.",
            self._ti.task_id,
        )
        hub, identity = await self._hub(definition), await self._identity()
        await hub.remove(identity.name)

    async def _hub(self, definition: StepDefinition) -> Hub:
        pod = definition.step.pod
        way = (self.conn_id, (pod.namespace or None) if pod else None)
        site = await asyncio.to_thread(this_site)
        return await Hubs.here().get(
            way, lambda stack: connect_cluster(stack, *way), site, _is_waited_for
        )

    async def _identity(self) -> names.PodIdentity:
        ti = self._ti
        return names.PodIdentity(
            site=await asyncio.to_thread(this_site),
            dag_id=ti.dag_id,
            dag_run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=compat.map_index_of(ti),
            try_number=ti.try_number,
            key=str(ti.id),
        )

    async def _failed(
        self,
        definition: StepDefinition,
        this: Try,
        end: recipe.Failed,
        task: StepTask | None = None,
        result: StepResult | None = None,
    ) -> TriggerEvent:
        self.log.error("%s", end.sentence)
        if task is not None:
            await lineage_events.ended(definition, self._ti, task, result, end.sentence)
        record = tries.life_record(this, definition.granted, own=end.own)
        await compat.push_in_trigger(self._ti, LIFE_KEY, record)
        # Only a worker can end a task without a retry that Airflow would still grant.
        if end.retry or this.try_number > this.max_tries:
            return compat.failed_event()  # type: ignore[no-any-return]
        return TriggerEvent({"sentence": end.sentence})  # type: ignore[no-untyped-call]

    @property
    def _ti(self) -> Any:
        return self.task_instance

    async def _try(self, definition: StepDefinition) -> Try:
        ti, granted = self._ti, definition.granted
        map_index = compat.map_index_of(ti)
        begin, failed = 0, ()
        if ti.try_number > 1:
            # The triggerer is not told max_tries.
            [record] = await compat.pull_in_trigger(ti, ti.task_id, LIFE_KEY, [map_index])
            begin = tries.begin_of_life(ti.try_number, granted, record)
            # The release before counted all of them.
            failed = (record or {}).get("failed", range(1, ti.try_number))
        return fetch.this_try(
            compat.context_in_trigger(ti),
            await self._item(definition, map_index),
            max_tries=begin + granted,
            failed=failed,
            events=await fetch.events_in_trigger(ti) if definition.triggers else (),
        )

    async def _item(self, definition: StepDefinition, map_index: int) -> Mapping[str, Any] | None:
        if definition.depth == 0:
            return None
        if definition.depth == 1:
            return {"path": (map_index,), "parent": -1}
        task_id = items_task(str(definition.step.each))
        [items] = await compat.pull_in_trigger(self._ti, task_id, compat.RETURNED, [-1])
        return dict(items[map_index])

    async def _label(
        self, definition: StepDefinition, this: Try, found: Sequence[Sequence[Reference]]
    ) -> str | None:
        """Of the item. A foreach step that a worker ran has it with the items that it returned."""
        label, each = recipe.label_of(definition, this, found), definition.step.each
        if label is None and definition.depth == 1 and each in definition.step.after:
            [items] = await compat.pull_in_trigger(self._ti, str(each), compat.RETURNED, [-1])
            return str(items[this.map_index]["label"]) if items else None
        return label

    async def _is_current(self) -> bool:
        ti = self._ti
        map_index = compat.map_index_of(ti)
        state = await fetch.state_in_trigger(ti.dag_id, ti.run_id, ti.task_id, map_index)
        return state not in _ENDED


async def _is_waited_for(pod: Mapping[str, str]) -> bool:
    """Of any pod of this Airflow, by what its annotations say."""
    state = await fetch.state_in_trigger(
        pod["dag_id"], pod["dag_run_id"], pod["task_id"], int(pod["map_index"])
    )
    return state not in _ENDED


def _log_line(time: str, text: str) -> None:
    structlog.get_logger("step").info(text, timestamp=time)

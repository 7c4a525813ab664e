"""`MetaflowFlow`: the vocabulary of an exported DAG file. It makes operators of what the file says.

What a DAG contains is decided in `plan/`; nothing is worked out here from the words of others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.sdk import Asset, TriggerRule

from metaflow_airflow.attempt.inputs import Upstream
from metaflow_airflow.attempt.step_definition import INFRASTRUCTURE_RETRIES, StepDefinition
from metaflow_airflow.compat.airflow_memory import remembers
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.operators.check_format import check_format, check_words
from metaflow_airflow.operators.trigger_form import trigger_form
from metaflow_airflow.operators.way_to_run import way_to_run
from metaflow_airflow.plan.dag import EventsTask
from metaflow_airflow.plan.record import Record
from metaflow_airflow.plan.step import (
    Deployment,
    ExitHooks,
    PlannedStep,
    Pod,
    items_task,
    trigger_rule,
)

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class MetaflowFlow:
    """A Metaflow flow inside a DAG: `step` adds a task, `each` a body, `items` a list of items.

    A file of today says all of it by `load`.

    Args:
        name: the flow's class.
        pool: Airflow's pool for the steps.
        kubernetes_conn_id: the Airflow connection to the cluster, for steps as pods.
        pods_on: who waits for the pods: the triggerer, or a worker for each.
        format: of the file's words. exported_by: version of the bridge that wrote it.
        deployment: the flow's code, datastore and whatever else the fields of Deployment are.

    Raises:
        BridgeError: the file was written by a newer bridge than the one that loads it.
    """

    _formats: ClassVar[dict[int, type[MetaflowFlow]]] = {}

    def __init__(
        self,
        name: str,
        *,
        pool: str | None = None,
        kubernetes_conn_id: str = "kubernetes_default",
        pods_on: Literal["triggerer", "worker"] = "triggerer",
        format: int = 1,
        exported_by: str = "",
        **deployment: Any,
    ) -> None:
        check_format(name, format, exported_by)
        self.name = name
        self._pool = pool
        self._kubernetes_conn_id = kubernetes_conn_id
        self._pods_on = pods_on
        self._deployment = Deployment(**_frozen(deployment))
        self._steps: dict[str, PlannedStep] = {}
        self._tasks: dict[str, Any] = {}  # operators by task id
        self._body: tuple[dict[str, Any], Any] | None = None
        self._record: Record | None = None  # in a file of before there is none

    def __new__(cls, *_: Any, format: int = 1, **__: Any) -> MetaflowFlow:
        """The vocabulary of the file's format."""
        return super().__new__(cls._formats.get(format, cls) if cls is MetaflowFlow else cls)

    def __init_subclass__(cls, *, format: int, **rest: Any) -> None:
        """A subclass is the vocabulary of an older format."""
        super().__init_subclass__(**rest)
        MetaflowFlow._formats[format] = cls

    @classmethod
    def load(cls, record: str, **words: Any) -> MetaflowFlow:
        """The flow of a deployment.

        Args:
            record: what the deployment says of itself, as Record's JSON.
            words: pool, kubernetes_conn_id, pods_on.

        Raises:
            BridgeError: a newer bridge wrote it, or it cannot be read.
        """
        read = Record.from_json(record)
        kinds = {
            "json_parameters": tuple(each.name for each in read.parameters if each.kind == "json"),
            "null_parameters": tuple(each.name for each in read.parameters if each.takes_null),
        }
        flow = cls(
            read.flow,
            format=read.format,
            exported_by=read.exported_by,
            **{field.name: getattr(read.deployment, field.name) for field in fields(Deployment)}
            | kinds,
            **words,
        )
        flow._record = read
        return flow

    @property
    def params(self) -> dict[str, Any]:
        """The flow's parameters as fields of Airflow's trigger form."""
        return trigger_form(self._record) if self._record else {}

    def __str__(self) -> str:
        return self.name

    def step(self, name: str, **words: Any) -> BaseOperator:
        """Add a step as a task.

        Args:
            words: PlannedStep's fields. One name in `after` may stand for itself; unsaid, `over` is
                `each`, `depth` 1 with it, `user_retries` `retries`; `@flow.each` says its own.
        """
        check_words(name, words)
        words = _frozen(words) | (self._body[0] if self._body else {})
        if isinstance(words.get("after"), str):
            words["after"] = (words["after"],)
        if words.get("each"):
            words = {"over": words["each"], "depth": 1} | words
        words.setdefault("user_retries", words.get("retries", 0))
        step = PlannedStep(name, **words)
        operator = self._new(
            definition := self._definition(step),
            items=self._items_of(step),
            task_id=name,
            retries=definition.granted,
            retry_delay=timedelta(seconds=step.retry_delay),
            trigger_rule=TriggerRule(step.trigger_rule),
            outlets=[Asset(each) for each in step.publishes],
            doc_json=self._record.shown if self._record and not step.after else None,
        )
        if EventsTask.name in self._tasks and not step.after:
            self._tasks[EventsTask.name] >> operator
        for source in step.after:
            # A foreach step's items come through its list, which is a dependency already.
            if source != step.each:
                self._task(source) >> operator
        self._steps[name] = step
        self._tasks[name] = operator
        return operator  # type: ignore[no-any-return]

    def events(self) -> BaseOperator:
        """Add the task that hands the events of a run to steps whose pods the triggerer runs."""
        from metaflow_airflow.operators.hand_events import MetaflowEventsOperator

        name = EventsTask.name
        self._tasks[name] = MetaflowEventsOperator(task_id=name, retries=INFRASTRUCTURE_RETRIES)
        return self._tasks[name]  # type: ignore[no-any-return]

    def items(self, foreach: str, *, may_skip: bool = False) -> BaseOperator:
        """Add the task that makes one list of the items of all tasks of a foreach step.

        Args:
            may_skip: a switch stands before that step.
        """
        from metaflow_airflow.operators.items import MetaflowItemsOperator

        name = items_task(foreach)
        self._tasks[name] = MetaflowItemsOperator(
            task_id=name,
            foreach=foreach,
            retries=INFRASTRUCTURE_RETRIES,
            trigger_rule=TriggerRule(trigger_rule(may_skip=may_skip)),
        )
        self._task(foreach) >> self._tasks[name]
        return self._tasks[name]  # type: ignore[no-any-return]

    def each(
        self, foreach: str, *, over: str | None = None, depth: int = 1
    ) -> Callable[[Callable[[], None]], None]:
        """Decorate a function whose steps run one after the other for each item of a foreach step.

        Args:
            over: the task whose list of items it is, where it is not the foreach step's own.
            depth: how many foreaches are open there.
        """
        over = over or foreach

        def add(body: Callable[[], None]) -> None:
            # It brings Airflow's decorators with it, which cost as much as all else in the file.
            from airflow.sdk import task_group

            @task_group(group_id=body.__name__, prefix_group_id=False)
            def group(item: Any) -> None:
                self._body = ({"each": foreach, "over": over, "depth": depth}, item)
                try:
                    body()
                finally:
                    self._body = None

            group.expand(item=self._task(over).output)

        return add

    def exit_hooks(
        self,
        *,
        first: str,
        last: str,
        on_success: Sequence[str] = (),
        on_error: Sequence[str] = (),
        pod: Pod | None = None,
    ) -> BaseOperator:
        """Add the task that calls the flow's exit hooks, once all steps have ended.

        A hook that fails does not fail the run.

        Args:
            first, last: the flow's first and last step.
            on_success, on_error: import paths, or names of functions in the flow's file.
            pod: what it runs in; without one it is a process on the worker.
        """
        definition = self._definition(
            PlannedStep("exit.hooks", after=(first, last), may_skip=True, pod=pod),
            hooks=ExitHooks(tuple(on_success), tuple(on_error)),
        )
        hooks = self._new(definition, task_id="exit.hooks")
        # A step whose input failed counts as ended while others run: after all of them.
        for operator in self._tasks.values():
            operator >> hooks
        # Airflow lets teardowns run when somebody marks the run failed.
        hooks.as_teardown()
        return hooks  # type: ignore[no-any-return]

    def exit_outcome(self, last: str) -> BaseOperator:
        """Add the task that gives a run with exit hooks the outcome of its last step."""
        from metaflow_airflow.operators.outcome import MetaflowOutcomeOperator

        outcome = MetaflowOutcomeOperator(task_id="exit.outcome", last=last)
        self._task(last) >> outcome
        outcome.as_teardown(on_failure_fail_dagrun=True)
        return outcome

    def _definition(self, step: PlannedStep, hooks: ExitHooks | None = None) -> StepDefinition:
        upstream = [self._steps[name] for name in step.after if self._task(name) is not None]
        return StepDefinition(
            flow=self.name,
            deployment=self._deployment,
            step=step,
            upstream=tuple(Upstream(s.name, s.depth, switch=bool(s.chooses)) for s in upstream),
            depth=step.depth,
            may_skip=step.may_skip,
            retries=step.task_retries,
            budget=INFRASTRUCTURE_RETRIES if hooks is None and remembers() else 0,
            hooks=hooks,
            triggers=self._record.triggers if self._record else (),
            project=self._record.project if self._record else None,
        )

    def _items_of(self, step: PlannedStep) -> Any:
        if self._body:
            return self._body[1]
        return self._task(step.over).output if step.over else None

    def _new(self, definition: StepDefinition, *, items: Any = None, **arguments: Any) -> Any:
        """The operator of a step (mapped over the items), of the kind that runs it."""
        step = definition.step
        operator_class, more = way_to_run(
            definition, pods_on=self._pods_on, conn_id=self._kubernetes_conn_id
        )
        arguments |= more
        if step.execution_timeout:
            arguments["execution_timeout"] = timedelta(seconds=step.execution_timeout)
        if self._pool:
            arguments["pool"] = self._pool
        if items is None:
            return operator_class(**arguments)
        arguments["map_index_template"] = "{{ task.item['label'] }}"
        if self._body:
            return operator_class(item=items, **arguments)
        return operator_class.partial(**arguments).expand(item=items)

    def _task(self, name: str) -> Any:
        if name not in self._tasks:
            known = ", ".join(self._tasks) or "none yet"
            raise BridgeError(
                f"{self.name}: step {name!r} is used before it is defined (defined: {known}). "
                "Export the flow again instead of editing its DAG file."
            )
        return self._tasks[name]


def _frozen(words: dict[str, Any]) -> dict[str, Any]:
    """The words of a file as fields: its lists are tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in words.items()}

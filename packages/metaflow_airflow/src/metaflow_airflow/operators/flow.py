"""`MetaflowFlow`: the vocabulary of an exported DAG file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import TriggerRule, XComArg

from metaflow_airflow import __version__
from metaflow_airflow.attempt.inputs import Upstream
from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.operators.process import MetaflowProcessOperator
from metaflow_airflow.plan.step import (
    CODE_METADATA,
    Deployment,
    ExitHooks,
    PlannedStep,
    Pod,
    Python,
    items_task,
)

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

# Metaflow's own timeout fires inside the step; Airflow's is the net below it, for code that does
# not let Python handle the alarm.
_TIMEOUT_GRACE = 60


@dataclass
class _Task:
    """A step that the file has defined: its operator and where it stands."""

    operator: Any
    depth: int
    switch: bool = False
    may_skip: bool = False
    pod: Pod | None = None

    @property
    def optional(self) -> bool:
        """Whether a step after it may find that it was not chosen."""
        return self.switch or self.may_skip


@dataclass
class MetaflowFlow:
    """A Metaflow flow inside a DAG: `step` adds a task, `each` a body, `items` a nested list.

    Args:
        name: the flow's class.
        script: its file inside the code package.
        code, code_sha, code_metadata: the code package in the datastore.
        datastore, datastore_root: where the flow's artifacts live.
        options: top-level options of the flow's command line.
        decorators: decorators attached to every step on the command line.
        tags: tags of its runs. namespace: None for the default one.
        owner: who deployed it. production_token: its production namespace.
        environment: variables for all steps; never secrets.
        python: of its steps; None for the one that they find where they run.
        connection: the Airflow connection that gives steps their AWS credentials.
        pool: Airflow's pool for the steps.
        kubernetes_conn_id: the Airflow connection to the cluster, for steps as pods.
        pods_on: who waits for the pods: the triggerer, or a worker for each.
        exported_by: version of the bridge that wrote the file.

    Raises:
        BridgeError: the file was written by a newer bridge than the one that loads it.
    """

    name: str
    script: str
    code: str
    code_sha: str
    datastore_root: str
    datastore: str = "s3"
    code_metadata: str = CODE_METADATA
    options: Sequence[str] = ()
    decorators: Sequence[str] = ()
    tags: Sequence[str] = ()
    namespace: str | None = None
    owner: str = ""
    production_token: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    python: Python | None = None
    connection: str | None = None
    pool: str | None = None
    kubernetes_conn_id: str = "kubernetes_default"
    pods_on: Literal["triggerer", "worker"] = "triggerer"
    exported_by: str = __version__
    _tasks: dict[str, _Task] = field(default_factory=dict, init=False, repr=False)
    _body: tuple[str, XComArg] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if _version(self.exported_by) > _version(__version__):
            raise BridgeError(
                f"This DAG of {self.name} was exported by metaflow-airflow {self.exported_by}, "
                f"but {__version__} is installed here. Upgrade metaflow-airflow where Airflow "
                "runs, or export the flow again with the older version."
            )
        self._deployment = Deployment(
            script=self.script,
            code=self.code,
            code_sha=self.code_sha,
            code_metadata=self.code_metadata,
            datastore=self.datastore,
            datastore_root=self.datastore_root,
            options=tuple(self.options),
            decorators=tuple(self.decorators),
            tags=tuple(self.tags),
            namespace=self.namespace,
            owner=self.owner,
            production_token=self.production_token,
            environment=dict(self.environment),
            python=self.python,
            connection=self.connection,
        )

    def __str__(self) -> str:
        return self.name

    def step(
        self,
        name: str,
        *,
        after: str | Sequence[str] = (),
        each: str | None = None,
        chooses: Sequence[str] = (),
        retries: int = 0,
        user_retries: int | None = None,
        retry_delay: int = 0,
        timeout: int | None = None,
        decorators: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        pod: Pod | None = None,
        python: Python | None = None,
    ) -> BaseOperator:
        """Add a step as a task.

        Args:
            after: the steps whose outcome it takes as input; they stand earlier in the file.
            each: the foreach step for each of whose items it runs (inside `@flow.each`: known).
            chooses: the steps of which this one, a switch, picks one.
            retries: all retries; user_retries: those that run the step's code again (default all).
            retry_delay, timeout: seconds.
            decorators: decorators attached on the command line.
            environment: variables of this step; never secrets.
            pod: what it runs in; without one it is a process on the worker.
            python: if it has another one than the flow.
        """
        after = (after,) if isinstance(after, str) else tuple(after)
        each = self._body[0] if self._body else each
        depth = self._depth(each)
        planned = PlannedStep(
            name=name,
            after=after,
            each=each,
            chooses=tuple(chooses),
            retries=retries,
            user_retries=retries if user_retries is None else user_retries,
            retry_delay=retry_delay,
            timeout=timeout,
            decorators=tuple(decorators),
            environment=dict(environment or {}),
            pod=pod,
            python=python,
        )
        upstream = tuple(
            Upstream(step, depth=self._task(step).depth, switch=self._task(step).switch)
            for step in after
        )
        definition = StepDefinition(
            flow=self.name,
            deployment=self._deployment,
            step=planned,
            upstream=upstream,
            depth=depth,
            may_skip=self._may_skip(after),
            retries=retries,
        )
        operator = self._new(
            definition,
            items=self._body[1] if self._body else self._list_of(each) if each else None,
            task_id=name,
            retries=retries,
            retry_delay=timedelta(seconds=retry_delay),
            trigger_rule=self._trigger_rule(after),
        )
        for source in after:
            # A foreach step's items come through its list, which is a dependency already.
            if source != each:
                self._task(source).operator >> operator
        self._tasks[name] = _Task(operator, depth, bool(chooses), self._may_skip(after), pod=pod)
        return operator  # type: ignore[no-any-return]

    def exit_hooks(
        self, *, on_success: Sequence[str] = (), on_error: Sequence[str] = ()
    ) -> BaseOperator:
        """Add the task that calls the flow's exit hooks, once all steps have ended.

        It runs where the flow's first step runs; a hook that fails does not fail the run.

        Args:
            on_success, on_error: import paths, or names of functions in the flow's file.
        """
        steps = list(self._tasks)  # the first and the last one are those of the flow
        pod = self._tasks[steps[0]].pod
        definition = StepDefinition(
            flow=self.name,
            deployment=self._deployment,
            step=PlannedStep(name="exit.hooks", pod=pod),
            upstream=(Upstream(steps[0], depth=0), Upstream(steps[-1], depth=0)),
            depth=0,
            may_skip=True,
            retries=0,
            hooks=ExitHooks(tuple(on_success), tuple(on_error)),
        )
        from metaflow_airflow.operators.outcome import MetaflowOutcomeOperator

        hooks = self._new(definition, task_id="exit.hooks")
        outcome = MetaflowOutcomeOperator(task_id="exit.outcome", last=steps[-1])
        # A step whose input failed counts as ended while others run: after all of them.
        for task in self._tasks.values():
            task.operator >> hooks
        self._tasks[steps[-1]].operator >> outcome
        # Airflow lets teardowns run when somebody marks the run failed.
        hooks.as_teardown()
        outcome.as_teardown(on_failure_fail_dagrun=True)
        return hooks  # type: ignore[no-any-return]

    def items(self, foreach: str) -> BaseOperator:
        """Add the task that makes one list of the items of all tasks of a nested foreach step."""
        source = self._task(foreach)
        name = items_task(foreach)
        if name in self._tasks:
            return self._tasks[name].operator  # type: ignore[no-any-return]
        from metaflow_airflow.operators.items import MetaflowItemsOperator

        operator = MetaflowItemsOperator(
            task_id=name,
            foreach=foreach,
            trigger_rule=self._trigger_rule((foreach,)),
        )
        source.operator >> operator
        self._tasks[name] = _Task(operator, depth=0, may_skip=source.may_skip)
        return operator

    def each(self, foreach: str) -> Callable[[Callable[[], None]], None]:
        """Decorate a function whose steps run one after the other for each item of `foreach`."""

        def add(body: Callable[[], None]) -> None:
            # It brings Airflow's decorators with it, which cost as much as all else in the file.
            from airflow.sdk import task_group

            @task_group(group_id=body.__name__, prefix_group_id=False)
            def group(item: Any) -> None:
                self._body = (foreach, item)
                try:
                    body()
                finally:
                    self._body = None

            group.expand(item=self._list_of(foreach))

        return add

    def _new(self, definition: StepDefinition, *, items: Any = None, **arguments: Any) -> Any:
        """The operator of a step (mapped over the items), of the kind that runs it."""
        step = definition.step
        arguments["definition"] = definition
        operator_class: Any = MetaflowProcessOperator
        if step.pod and self.pods_on == "worker":
            from metaflow_airflow.operators.pod_worker import MetaflowPodWorkerOperator

            operator_class = MetaflowPodWorkerOperator
            arguments["conn_id"] = self.kubernetes_conn_id
        elif step.pod:
            from metaflow_airflow.operators.pod_triggerer import (
                MetaflowPodOperator,
                start_arguments,
            )

            operator_class = MetaflowPodOperator
            arguments |= start_arguments(definition, self.kubernetes_conn_id)
        elif step.timeout:
            # A trigger keeps its own deadline: Airflow's would leave the pod running.
            arguments["execution_timeout"] = timedelta(seconds=step.timeout + _TIMEOUT_GRACE)
        if self.pool:
            arguments["pool"] = self.pool
        if items is None:
            return operator_class(**arguments)
        arguments["map_index_template"] = "{{ task.item['label'] }}"
        if self._body:
            return operator_class(item=items, **arguments)
        return operator_class.partial(**arguments).expand(item=items)

    def _list_of(self, foreach: str) -> Any:
        flattened = items_task(foreach)
        if self._task(foreach).pod and self.pods_on == "triggerer":
            # Airflow maps over no list that a trigger returned.
            self.items(foreach)
        return self._task(flattened if flattened in self._tasks else foreach).operator.output

    def _depth(self, each: str | None) -> int:
        return 0 if each is None else self._task(each).depth + 1

    def _task(self, name: str) -> _Task:
        if name not in self._tasks:
            known = ", ".join(self._tasks) or "none yet"
            raise BridgeError(
                f"{self.name}: step {name!r} is used before it is defined (defined: {known}). "
                "Export the flow again instead of editing its DAG file."
            )
        return self._tasks[name]

    def _may_skip(self, after: Sequence[str]) -> bool:
        return any(self._task(name).optional for name in after)

    def _trigger_rule(self, after: Sequence[str]) -> TriggerRule:
        if self._may_skip(after):
            return TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS
        return TriggerRule.ALL_SUCCESS


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])

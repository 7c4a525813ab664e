"""The plan: one frozen dataclass for each kind of thing that an exported DAG contains.

How a foreach runs on an orchestrator that cannot nest mapping. Every Metaflow task is one task
instance; a step at depth d is a task mapped over a flat list of index paths:

    start --> split --> train[i] --> score[i] --> pick --> end        Body(split): train, score
                                                                      mapped over split's own list

    start --> outer --> inner[i] --> (inner's items) --> work[k] --> regroup[i] --> end
              |                      |
              list of [i]            Items(inner): the lists of all inner[i] as one, [i, j] at k

Airflow maps over no list that a trigger returned: a foreach step that the triggerer runs as a pod
has such an Items task at any depth.

Steps of one depth that follow each other without a barrier between them share a Body: an item goes
through them at its own pace. A nested foreach is a barrier: what stands before it and what joins it
are two Bodies over the same list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from metaflow_airflow.plan.notifications import Notifications
from metaflow_airflow.plan.record import Parameter, Project, Record
from metaflow_airflow.plan.step import (
    FORMAT,
    Deployment,
    ExitHooks,
    PlannedStep,
    Pod,
    Trigger,
    items_task,
    trigger_rule,
)


@dataclass(frozen=True)
class Body:
    """Steps that run one after the other for each item of a foreach step.

    Args:
        name: the id of its task group, which no step has.
    """

    each: str
    steps: tuple[PlannedStep, ...]
    name: str


@dataclass(frozen=True)
class Items:
    """A task that makes one list of the items of all tasks of a foreach step.

    Args:
        may_skip: a switch stands before the foreach step.
    """

    foreach: str
    may_skip: bool = False

    @property
    def name(self) -> str:
        """Its task id."""
        return items_task(self.foreach)

    @property
    def trigger_rule(self) -> str:
        """When Airflow starts it, in Airflow's word."""
        return trigger_rule(may_skip=self.may_skip)


@dataclass(frozen=True)
class HooksTask:
    """Calls the exit hooks when all steps have ended, where the flow's first step runs.

    Args:
        first, last: the flow's first and last step. pod: the first step's.
    """

    hooks: ExitHooks
    first: str
    last: str
    pod: Pod | None = None
    name: ClassVar[str] = "exit.hooks"


@dataclass(frozen=True)
class OutcomeTask:
    """Gives a run with exit hooks the outcome of its last step."""

    last: str
    name: ClassVar[str] = "exit.outcome"


@dataclass(frozen=True)
class EventsTask:
    """Hands the events that started a run to steps whose pods the triggerer runs: it cannot ask."""

    name: ClassVar[str] = "start.events"


Block = PlannedStep | Body | Items | HooksTask | OutcomeTask | EventsTask


@dataclass(frozen=True)
class Sensor:
    """Something that a run waits for: an Airflow sensor before the start step.

    Args:
        operator: ExternalTaskSensor or S3KeySensor. arguments: of its constructor.
    """

    operator: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Schedule:
    """When the DAG starts by itself: a five-field cron expression in a time zone.

    Args:
        catchup: whether ticks are run later that pass while the DAG is paused.
    """

    cron: str
    timezone: str = "UTC"
    catchup: bool = False


@dataclass(frozen=True)
class Triggers:
    """The events that start the DAG, when all of them have been published.

    Args:
        reset_at: a cron expression and its time zone: at these times, events that still wait for
            others are forgotten.
    """

    events: tuple[Trigger, ...]
    reset_at: tuple[str, str] | None = None


@dataclass(frozen=True)
class Plan:
    """A whole DAG.

    Args:
        blocks: in an order in which each stands after what it depends on.
        metaflow: the version that the flow was read with. commit: see Record.
        max_workers: how many steps of a run may run at once.
        pool: Airflow's pool for the steps. timeout: seconds for a whole run.
        kubernetes_conn_id: the Airflow connection to the cluster; None for Airflow's default one.
        pods_on: who waits for the pods: the triggerer, or a worker for each.
        notifications: who is told of a run's end.
    """

    dag_id: str
    flow: str
    deployment: Deployment
    blocks: tuple[Block, ...]
    parameters: tuple[Parameter, ...] = ()
    project: Project | None = None
    metaflow: str = ""
    commit: str = ""
    sensors: tuple[Sensor, ...] = ()
    schedule: Schedule | None = None
    triggers: Triggers | None = None
    doc: str = ""
    paused: bool | None = None
    max_workers: int | None = None
    pool: str | None = None
    timeout: int | None = None
    kubernetes_conn_id: str | None = None
    pods_on: str = "triggerer"
    notifications: Notifications = field(default_factory=Notifications)

    def steps(self) -> Iterator[PlannedStep]:
        """All steps, in the blocks' order."""
        for block in self.blocks:
            if isinstance(block, Body):
                yield from block.steps
            elif isinstance(block, PlannedStep):
                yield block

    @property
    def has_pods(self) -> bool:
        """Whether a step runs in a pod."""
        return any(step.pod for step in self.steps())

    def record(self, exported_by: str) -> Record:
        """What the DAG file says of the deployment.

        Args:
            exported_by: version of the bridge.
        """
        steps = list(self.steps())
        return Record(
            dag_id=self.dag_id,
            flow=self.flow,
            format=FORMAT,
            exported_by=exported_by,
            metaflow=self.metaflow,
            commit=self.commit,
            project=self.project,
            deployment=self.deployment,
            parameters=self.parameters,
            triggers=self.triggers.events if self.triggers else (),
            steps=tuple(step.name for step in steps),
            start_in_pod=any(step.pod for step in steps if not step.after),
        )

    def task_ids(self) -> Iterator[str]:
        """The ids of all tasks of the DAG, as they stand in the file."""
        for block in self.blocks:
            yield from (
                (step.name for step in block.steps) if isinstance(block, Body) else (block.name,)
            )
        for sensor in self.sensors:
            yield sensor.name

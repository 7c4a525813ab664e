"""A step as a DAG file defines it: what parsing needs to know, and no more."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from metaflow_airflow.attempt.inputs import Upstream
from metaflow_airflow.plan.record import Project
from metaflow_airflow.plan.step import Deployment, ExitHooks, PlannedStep, Trigger

INFRASTRUCTURE_RETRIES = 3
"""How often a task is tried again for what is not its step's doing, besides the step's retries."""


@dataclass(frozen=True)
class StepDefinition:
    """A step as the DAG file defines it.

    Args:
        flow: the flow's name. deployment: its code and datastore.
        step: what the plan says of the step. upstream: the steps whose outcome it takes.
        depth: how many foreaches are open around it. may_skip: a switch stands before it.
        retries: the step's. budget: tries that the infrastructure may lose besides.
        hooks: instead of a step, the exit hooks of the flow, after its first and last step.
        triggers: the events that start the flow. project: of the flow.
    """

    flow: str
    deployment: Deployment
    step: PlannedStep
    upstream: tuple[Upstream, ...]
    depth: int
    may_skip: bool
    retries: int
    hooks: ExitHooks | None = None
    triggers: tuple[Trigger, ...] = ()
    project: Project | None = None
    budget: int = 0

    @property
    def granted(self) -> int:
        """Airflow's retries."""
        return self.retries + self.budget

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> StepDefinition:
        """From JSON text."""
        from pydantic import TypeAdapter

        return TypeAdapter(cls).validate_json(text)

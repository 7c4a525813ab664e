"""A step as a pod that the triggerer runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaflow_airflow.attempt.inputs import Reference
from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.compat.airflow import AirflowFailException, start_in_triggerer
from metaflow_airflow.operators.pod_worker import MetaflowPodWorkerOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

_TRIGGER = "metaflow_airflow.operators.pod_trigger.PodTrigger"


class MetaflowPodOperator(MetaflowPodWorkerOperator):
    """The scheduler hands the task straight to the triggerer, whose trigger runs the pod."""

    def __init__(self, *, start_from_trigger: bool, start_trigger_args: Any, **kwargs: Any) -> None:
        super().__init__(conn_id=start_trigger_args.trigger_kwargs["conn_id"], **kwargs)
        self.start_from_trigger = start_from_trigger
        self.start_trigger_args = start_trigger_args

    def execute(self, context: Context) -> list[dict[str, Any]] | None:
        """Run the step where Airflow, before 3.3, gave the task to a worker all the same."""
        self.log.warning(
            "This Airflow starts no task in its triggerer (3.3 does): a worker waits for the pod."
        )
        return super().execute(context)

    def finish(self, context: Context, event: dict[str, Any]) -> None:
        """End the task where only a worker can: without a retry, or with events to publish.

        Raises:
            AirflowFailException: a retry would fail alike; the text says why.
        """
        if sentence := event.get("sentence"):
            raise AirflowFailException(sentence)
        self.succeed(Reference.from_xcom(event["outcome"]), context)

    # A pod that the release before deferred comes back by this name.
    fail = finish


def start_arguments(definition: StepDefinition, conn_id: str) -> dict[str, Any]:
    """What makes the scheduler start the trigger, for a mapped task too."""
    return start_in_triggerer(
        _TRIGGER, {"definition": definition.to_json(), "conn_id": conn_id}, then="finish"
    )

"""A step as a pod that the triggerer runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk.exceptions import AirflowFailException
from airflow.triggers.base import StartTriggerArgs

from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.operators.base import MetaflowStepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

_TRIGGER = "metaflow_airflow.operators.pod_trigger.PodTrigger"


class MetaflowPodOperator(MetaflowStepOperator):
    """The scheduler hands the task straight to the triggerer, whose trigger runs the pod."""

    ui_color = "#e4ecf7"

    def __init__(
        self,
        *,
        definition: StepDefinition,
        start_from_trigger: bool,
        start_trigger_args: StartTriggerArgs,
        **kwargs: Any,
    ) -> None:
        super().__init__(definition=definition, **kwargs)
        self.start_from_trigger = start_from_trigger
        self.start_trigger_args = start_trigger_args

    def execute(self, context: Context) -> NoReturn:
        """Never called: the task starts in the triggerer."""
        raise NotImplementedError("this task starts in the triggerer")

    def fail(self, context: Context, event: dict[str, Any]) -> NoReturn:
        """End the task without a retry that would fail alike.

        Raises:
            AirflowFailException: always; the text says why.
        """
        raise AirflowFailException(event["sentence"])


def start_arguments(definition: StepDefinition, conn_id: str) -> dict[str, Any]:
    """What makes the scheduler start the trigger, for a mapped task too."""
    return {
        "start_from_trigger": True,
        "start_trigger_args": StartTriggerArgs(
            trigger_cls=_TRIGGER,
            trigger_kwargs={"definition": definition.to_json(), "conn_id": conn_id},
            next_method="fail",
        ),
    }

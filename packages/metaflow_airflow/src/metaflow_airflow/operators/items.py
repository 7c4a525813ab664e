"""The task between a nested foreach step and its body."""

from __future__ import annotations

from typing import Any

from airflow.configuration import conf
from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException

from metaflow_airflow.attempt.inputs import flatten
from metaflow_airflow.operators import references


class MetaflowItemsOperator(BaseOperator):
    """Returns the items of all tasks of a foreach step as one list (Airflow maps over no other)."""

    ui_color = "#f0f0f5"

    def __init__(self, *, foreach: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.foreach = foreach

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """The flat list of items: {path, parent, label}."""
        found = references.of_all(context, self.foreach)
        items = flatten(found)
        self.log.info("%s made %d items in %d tasks", self.foreach, len(items), len(found))
        check_length(self.foreach, len(items))
        return items


def check_length(step: str, items: int) -> None:
    """Refuse a list that Airflow would not map over.

    Raises:
        AirflowFailException: it is longer than [core] max_map_length.
    """
    most = conf.getint("core", "max_map_length", fallback=1024)
    if items > most:
        raise AirflowFailException(
            f"Step {step} made {items} items for its foreach, but Airflow maps over at most {most} "
            "([core] max_map_length). Set AIRFLOW__CORE__MAX_MAP_LENGTH higher for the API server "
            "and the workers and clear the task, or let an item stand for several."
        )

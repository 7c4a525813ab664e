"""The task between a nested foreach step and its body."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, Context

from metaflow_airflow.attempt.inputs import count_items, flatten
from metaflow_airflow.attempt.recipe import Need, too_many_items
from metaflow_airflow.compat.airflow import AirflowFailException
from metaflow_airflow.operators.fetch import outcomes
from metaflow_airflow.operators.site import most_items


class MetaflowItemsOperator(BaseOperator):
    """Returns the items of all tasks of a foreach step as one list (Airflow maps over no other)."""

    ui_color = "#f0f0f5"

    def __init__(self, *, foreach: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.foreach = foreach

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """The flat list of items: {path, parent, label}.

        Raises:
            AirflowFailException: it would be longer than Airflow maps over.
        """
        found = outcomes(context["ti"], Need(self.foreach, map_index=None))
        items = count_items(found)
        self.log.info("%s made %d items in %d tasks", self.foreach, items, len(found))
        too_many = too_many_items(self.foreach, items, most_items())
        if too_many:
            raise AirflowFailException(too_many)
        return flatten(found)

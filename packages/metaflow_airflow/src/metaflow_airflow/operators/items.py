"""The task between a nested foreach step and its body."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, Context

from metaflow_airflow.operators import references
from metaflow_airflow.operators.inputs import flatten


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
        return items

"""A flow's parameters as the fields of Airflow's trigger form."""

from __future__ import annotations

from typing import Any

from metaflow_airflow.plan.record import Record


def trigger_form(record: Record) -> dict[str, Any]:
    """The params of a deployment's DAG.

    Where events start it, Airflow wants a default of each, also of those that an event is to set.
    """
    from airflow.sdk import Param

    found = {}
    for each in record.parameters:
        schema = dict(each.schema)
        if each.required and record.triggers:
            kinds = schema["type"]
            schema["type"] = ["null", *([kinds] if isinstance(kinds, str) else kinds)]
        has_default = record.triggers or not each.required
        found[each.name] = Param(*([each.default] if has_default else []), **schema)
    return found

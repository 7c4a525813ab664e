"""The edge to a flow's @trigger and @trigger_on_finish, as they are when it is deployed."""

from __future__ import annotations

from typing import Any

from metaflow_airflow.compat.metaflow_export import own_flow_decorators
from metaflow_airflow.plan.triggers import SaidTriggers


def read_triggers(flow: Any) -> SaidTriggers:
    """What the decorators say; their callables are called now, by Metaflow itself.

    Raises:
        MetaflowException: what Metaflow refuses of them.
    """
    found: dict[str, Any] = {}
    for name in ("trigger", "trigger_on_finish"):
        for decorator in own_flow_decorators(flow).get(name, ()):
            decorator.format_deploytime_value()
            found[name] = decorator
    options: dict[str, Any] = {}
    for decorator in found.values():
        options |= decorator.options or {}
    return SaidTriggers(
        events=tuple(found["trigger"].triggers) if "trigger" in found else (),
        flows=tuple(found["trigger_on_finish"].triggers) if "trigger_on_finish" in found else (),
        options=options,
    )

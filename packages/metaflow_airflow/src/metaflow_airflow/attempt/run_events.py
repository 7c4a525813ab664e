"""The events that started a run, and the one that its end is. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from metaflow_airflow.plan.record import Project
from metaflow_airflow.plan.step import Trigger

XCOM_KEY = "metaflow_events"
"""Under which the task `start.events` leaves them."""

_MOST = 96 * 1024  # bytes; Linux takes 128 KiB for one variable


@dataclass(frozen=True)
class Event:
    """An Airflow asset event.

    Args:
        name, uri: of the asset. time: when it was registered, ISO 8601.
        payload: its `extra`.
    """

    name: str
    uri: str
    time: str
    payload: Mapping[str, Any] = field(default_factory=dict)

    def to_xcom(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def parameters_of(
    triggers: Sequence[Trigger], events: Sequence[Event]
) -> tuple[dict[str, Any], str]:
    """The parameters that the events set, and why they cannot; of an event the newest one counts.

    What is not in a payload, or null there, is left to the parameter's default.
    """
    found: dict[str, Any] = {}
    for trigger in triggers:
        happened = _newest_first(trigger, events)
        if not happened:
            continue
        payload = happened[0].payload
        for parameter, key in trigger.parameters.items():
            if payload.get(key) is not None:
                found[parameter] = payload[key]
            elif parameter in trigger.required:
                has = ", ".join(sorted(payload)) or "no field"
                return {}, (
                    f"Event {trigger.name} sets parameter *{parameter}*, which is required and has "
                    f"no default, by its field {key!r}, and its payload lacks it (it has: {has}). "
                    "Publish the event with it, or give the parameter a default."
                )
    return found, ""


def said_to_step(triggers: Sequence[Trigger], events: Sequence[Event]) -> str:
    """What a step is told of the events: JSON of {timestamp, id, name, type, payload}, or ""."""
    entries = [entry for trigger in triggers for entry in _entries(trigger, events)]
    if not entries:
        return ""
    text = json.dumps(entries)
    if len(text) > _MOST:
        # Metaflow's own view of an event has none.
        text = json.dumps([{**entry, "payload": None} for entry in entries])
    return text


def end_of_run(flow: str, project: Project | None, pathspec: str) -> dict[str, Any]:
    """The payload of the event that the end of a run is, as Metaflow's other scheduler has it.

    Args:
        pathspec: run/step/task of the run's last task.
    """
    run_id, step, task_id = pathspec.split("/")
    said: dict[str, Any] = {
        "id": f"{flow}/{pathspec}",
        "pathspec": f"{flow}/{pathspec}",
        "flow_name": flow,
        "run_id": run_id,
        "step_name": step,
        "task_id": task_id,
        "auto-generated-by-metaflow": True,
    }
    if project:
        said |= {
            "project_name": project.name,
            "branch_name": project.branch,
            "is_user_branch": project.branch.startswith("user."),
            "is_production": project.production,
            "project_flow_name": f"{project.name}.{project.branch}.{flow}",
        }
    return said


def _newest_first(trigger: Trigger, events: Sequence[Event]) -> list[Event]:
    own = [event for event in events if trigger.name in (event.name, event.uri)]
    return sorted(own, key=lambda event: datetime.fromisoformat(event.time), reverse=True)


def _entries(trigger: Trigger, events: Sequence[Event]) -> Iterator[dict[str, Any]]:
    for event in _newest_first(trigger, events):
        given = event.payload.get("timestamp")
        yield {
            "timestamp": given
            if type(given) is int
            else int(datetime.fromisoformat(event.time).timestamp()),
            # Airflow tells a task no id of an event; of one asset no two have one time.
            "id": str(event.payload.get("id") or f"{event.uri}@{event.time}"),
            "name": trigger.name,
            "type": trigger.kind,
            "payload": dict(event.payload),
        }

"""What the bridge relies on in Metaflow to tell a step of its run. Read in 2.19.39."""

from __future__ import annotations

from typing import Any


def set_current(name: str, value: Any) -> None:
    """Give Metaflow's `current` an attribute, as decorators do.

    `_update_env` is what they all call.
    """
    from metaflow import current

    current._update_env({name: value})


def set_retry_count(number: int) -> None:
    """Give `current.retry_count` another value than the attempt's number.

    A property that reads `_retry_count`.
    """
    from metaflow import current

    current._retry_count = number


def trigger_of(events: list[dict[str, Any]]) -> Any:
    """What `current.trigger` is, of {timestamp, id, name, type, payload}, newest first.

    Metaflow's own class takes no payload: its events are tuples, whose subclass can have one.
    """
    from metaflow.events import MetaflowEvent, Trigger

    class Event(MetaflowEvent):  # type: ignore[misc]
        """A Metaflow event with what its publisher sent."""

        payload: dict[str, Any] | None = None

    trigger = Trigger([{k: v for k, v in event.items() if k != "payload"} for event in events])
    events = sorted(events, key=lambda event: event["timestamp"], reverse=True)
    for number, event in enumerate(events):
        told = Event(*trigger._events[number])
        told.payload = event["payload"]
        trigger._events[number] = told
    return trigger

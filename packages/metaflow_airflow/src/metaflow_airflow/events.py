"""Publish the events that flows with @trigger wait for, from anywhere that reaches Airflow.

    from metaflow_airflow import events

    events.publish("new_rides", {"month": "2024-01"})

In a shell: `python -m metaflow_airflow.events new_rides month=2024-01`. Airflow's address and the
login are those of the other commands (METAFLOW_AIRFLOW_REST_API_URL, …); whether the login may
publish is Airflow's permission to create asset events.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from metaflow_airflow.errors import BridgeError

_log = logging.getLogger(__name__)


def publish(
    name: str,
    payload: Mapping[str, Any] | None = None,
    *,
    partition_key: str | None = None,
    strict: bool = False,
) -> str | None:
    """Publish an event.

    Args:
        name: of the event, or the URI of an Airflow asset.
        payload: fields of the event; flows map them to their parameters. Any JSON.
        partition_key: the part of the data that is new, such as "green/2024-01".
        strict: whether a failure is raised. By default it is logged: no task fails for it.

    Returns:
        The event's id; None when it was not published.

    Raises:
        BridgeError: it was not published, and `strict` is set.
    """
    try:
        if _has_webhook_alone() and partition_key is None:
            return _by_webhook(name, payload or {})
        return _by_rest(name, payload or {}, partition_key)
    except BridgeError as error:
        if strict:
            raise
        _log.warning("%s", error)
        return None


def _by_rest(name: str, payload: Mapping[str, Any], partition_key: str | None) -> str:
    from metaflow_airflow.airflow_api.assets import publish_event
    from metaflow_airflow.airflow_api.client import AirflowClient

    return publish_event(AirflowClient.from_settings(), name, payload, partition_key)


def _has_webhook_alone() -> bool:
    """Whether there is no login of Airflow's API here, but the webhook: as in a step."""
    from metaflow.metaflow_config import ARGO_EVENTS_WEBHOOK_URL

    from metaflow_airflow.airflow_api.settings import URL, setting

    return bool(ARGO_EVENTS_WEBHOOK_URL) and not setting(URL)


def _by_webhook(name: str, payload: Mapping[str, Any]) -> str:
    from metaflow.integrations import ArgoEvent
    from metaflow.plugins.argo.argo_events import ArgoEventException

    try:
        return str(ArgoEvent(name, payload=dict(payload)).publish(ignore_errors=False))
    except ArgoEventException as error:
        raise BridgeError(f"Event {name} was not published: {error}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m metaflow_airflow.events",
        description="Publish an event that starts the flows that wait for it.",
    )
    parser.add_argument("name", help="the event, or the URI of an Airflow asset")
    parser.add_argument("fields", nargs="*", metavar="FIELD=VALUE", help="of its payload, as texts")
    parser.add_argument("--json", default="{}", metavar="OBJECT", help="its payload, as JSON")
    parser.add_argument("--partition", help="the part of the data that is new")
    given = parser.parse_args(arguments)
    try:
        payload = json.loads(given.json)
    except ValueError as error:
        parser.error(f"--json is no JSON: {error}")
    if not isinstance(payload, dict):
        parser.error(f'--json must be an object such as {{"month": "2024-01"}}, not {given.json}')
    for field in given.fields:
        key, equals, value = field.partition("=")
        if not key or not equals:
            parser.error(f"{field!r} is no FIELD=VALUE")
        payload[key] = value
    try:
        print(publish(given.name, payload, partition_key=given.partition, strict=True))
    except BridgeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

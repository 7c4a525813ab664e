"""The plugin by which Airflow's API server serves the webhook (entry point `airflow.plugins`)."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from metaflow_airflow.webhook import PREFIX


async def serve(scope: Any, receive: Any, send: Any) -> None:
    """The application (ASGI), imported when the first event arrives."""
    from metaflow_airflow.webhook.receive import app

    await app(scope, receive, send)


class MetaflowEvents(AirflowPlugin):
    """Takes the events of existing flows, unchanged."""

    name = "metaflow_events"
    fastapi_apps: list[Any] = [  # noqa: RUF012 - declared so by Airflow
        {"app": serve, "url_prefix": PREFIX, "name": "Metaflow events"}
    ]

"""The plugin that Airflow finds by its entry point: tabs, and the application behind them.

Every process of Airflow loads it, each worker's too: the application is imported where the first
request for it arrives.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from metaflow_airflow.pages import PREFIX

# A reverse proxy may serve Airflow below a path.
_BASE = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
_RUN = "dag_id={DAG_ID}&run_id={RUN_ID}"


async def serve(scope: Any, receive: Any, send: Any) -> None:
    """The application behind the tabs (ASGI)."""
    from metaflow_airflow.pages.app import app

    await app(scope, receive, send)


class MetaflowPages(AirflowPlugin):
    """What a flow made, as tabs of its DAG, its runs and its tasks."""

    name = "metaflow_pages"
    fastapi_apps: list[Any] = [{"app": serve, "url_prefix": PREFIX, "name": "Metaflow"}]  # noqa: RUF012
    external_views: list[Any] = [  # noqa: RUF012 - declared so by Airflow
        {
            "name": "Metaflow",
            "href": f"{_BASE}{PREFIX}/task?{_RUN}&task_id={{TASK_ID}}&map_index={{MAP_INDEX}}",
            "destination": "task_instance",
            "url_route": "metaflow-task",
        },
        {
            "name": "Metaflow",
            "href": f"{_BASE}{PREFIX}/run?{_RUN}",
            "destination": "dag_run",
            "url_route": "metaflow-run",
        },
        {
            "name": "Metaflow",
            "href": f"{_BASE}{PREFIX}/dag?dag_id={{DAG_ID}}",
            "destination": "dag",
            "url_route": "metaflow-dag",
        },
    ]

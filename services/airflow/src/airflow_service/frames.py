"""Keeps Airflow's pages out of other sites' frames: Airflow itself sends no header that says so.

Another site that shows them under its own buttons could have a person click there. Our own pages
are frames too, of the same origin.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

_HEADERS = (
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)


class SameOriginFrames:
    """ASGI middleware of the API server: says what a browser may do with an answer."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Add what the answer does not say itself."""

        async def say(message: Any) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message.get("headers", ())}
                more = [header for header in _HEADERS if header[0] not in there]
                message = {**message, "headers": [*message.get("headers", ()), *more]}
            await send(message)

        await self._app(scope, receive, say)


class FramesPlugin(AirflowPlugin):
    """The middleware, as Airflow loads it."""

    name = "same_origin_frames"
    fastapi_root_middlewares = [  # noqa: RUF012 - Airflow's way
        {"name": "same origin frames", "middleware": SameOriginFrames}
    ]

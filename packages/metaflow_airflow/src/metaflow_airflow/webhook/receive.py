"""Takes what ArgoEvent.publish() sends and publishes it through Airflow's own REST API.

In this process, without a socket: who may publish, what is logged and which DAGs start is decided
there. METAFLOW_ARGO_EVENTS_WEBHOOK_URL is https://AIRFLOW/metaflow-events/publish. The publisher is
an Airflow user, by one of

- `Authorization: Bearer TOKEN`, Airflow's own (ArgoEvent(access_token=…));
- `x-api-key: TOKEN` or `x-api-key: USER:PASSWORD` (METAFLOW_ARGO_EVENTS_WEBHOOK_AUTH=service with
  METAFLOW_SERVICE_AUTH_KEY).
"""

from __future__ import annotations

import hashlib
import time
from typing import Annotated, Any

import httpx
from airflow.api_fastapi.app import cached_app
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel

_TOKENS_LAST = 300  # seconds that a token of a password is used again
_tokens: dict[str, tuple[float, str]] = {}
_assets: dict[str, int] = {}

app = FastAPI(title="Metaflow events", docs_url=None, redoc_url=None, openapi_url=None)


class ArgoEvent(BaseModel):
    """The body that Metaflow posts."""

    name: str
    payload: dict[str, Any] = {}


@app.post("/publish")
async def publish(
    event: ArgoEvent,
    authorization: Annotated[str, Header()] = "",
    x_api_key: Annotated[str, Header()] = "",
) -> dict[str, Any]:
    """Publish an event; an event that no DAG waits for is taken, and starts nothing."""
    transport = httpx.ASGITransport(app=cached_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as airflow:
        token = await _token(airflow, authorization, x_api_key)
        airflow.headers["Authorization"] = f"Bearer {token}"
        asset_id = await _asset(airflow, event.name)
        if asset_id is None:
            return {"id": event.payload.get("id"), "why": f"no DAG waits for {event.name}"}
        body = {"asset_id": asset_id, "extra": event.payload}
        made = await airflow.post("/api/v2/assets/events", json=body)
        _check(made)
    return {"id": event.payload.get("id"), "event": made.json()["id"]}


async def _asset(airflow: httpx.AsyncClient, name: str) -> int | None:
    """The id of the asset of that name or URI; it stays the same as long as there is one."""
    if name in _assets:
        return _assets[name]
    for key in ("name", "uri"):
        query = {f"{key}_pattern": name, f"{key}_prefix_pattern": name, "order_by": key}
        found = await airflow.get("/api/v2/assets", params=query)
        _check(found)
        for asset in found.json()["assets"]:
            if name.rstrip("/") == asset[key]:
                _assets[name] = asset["id"]
                return _assets[name]
    return None


async def _token(airflow: httpx.AsyncClient, authorization: str, key: str) -> str:
    kind, _, token = authorization.partition(" ")
    if kind.lower() == "bearer" and token:
        return token
    user, colon, password = key.partition(":")
    if key and not colon:
        return key
    if not key:
        raise HTTPException(
            401,
            "Who publishes? Send an Airflow token (Authorization: Bearer …) or, with "
            "METAFLOW_ARGO_EVENTS_WEBHOOK_AUTH=service, METAFLOW_SERVICE_AUTH_KEY=USER:PASSWORD.",
        )
    known = hashlib.sha256(key.encode()).hexdigest()
    expires, token = _tokens.get(known, (0.0, ""))
    if time.monotonic() > expires:
        answer = await airflow.post("/auth/token", json={"username": user, "password": password})
        _check(answer)
        token = str(answer.json()["access_token"])
        _tokens[known] = (time.monotonic() + _TOKENS_LAST, token)
    return token


def _check(answer: httpx.Response) -> None:
    if not answer.is_success:
        raise HTTPException(answer.status_code, f"Airflow refused the event: {answer.text[:500]}")

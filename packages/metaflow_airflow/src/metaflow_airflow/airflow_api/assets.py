"""Events and who waits for them, in Airflow's words: asset events, assets, DAGs."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.errors import BridgeError


class NobodyWaitsError(BridgeError):
    """No DAG waits for the event or publishes it, so Airflow has no such asset."""


def find_asset(client: AirflowClient, name: str) -> dict[str, Any] | None:
    """The asset of that name or URI; of each there is at most one that is active."""
    patterns = ({"name_pattern": name}, {"uri_pattern": name})
    for query in patterns:
        for asset in client.assets(query):
            if name.rstrip("/") in (asset["name"], asset["uri"]):
                return asset
    return None


def known_assets(client: AirflowClient) -> list[dict[str, Any]]:
    """All assets, with the DAGs that publish and wait for each.

    Airflow does not list those that wait for an asset by its URI, as flows do: each of these is
    asked.
    """
    assets = list(client.assets({}))
    for dag in client.dags(tag="metaflow"):
        if "Events" not in (dag.get("timetable_summary") or ""):
            continue
        uris = set(_uris(client.dag(dag["dag_id"]).get("asset_expression")))
        for asset in assets:
            if asset["uri"] in uris:
                asset["scheduled_dags"].append({"dag_id": dag["dag_id"]})
    return assets


def _uris(expression: Any) -> Iterator[str]:
    """The URIs of the references in what Airflow says that a DAG waits for."""
    if isinstance(expression, list):
        for each in expression:
            yield from _uris(each)
    elif isinstance(expression, dict):
        if uri := (expression.get("asset_ref") or {}).get("uri"):
            yield uri
        yield from _uris([*expression.get("all", ()), *expression.get("any", ())])


def event_payload(name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """What an event carries: what Metaflow's own ArgoEvent puts beside its publisher's fields."""
    return {
        "name": name,
        "id": str(uuid.uuid4()),
        "timestamp": int(time.time()),
        "utc_date": datetime.now(timezone.utc).strftime("%Y%m%d"),
        "generated-by-metaflow": True,
        **payload,
    }


def publish_event(
    client: AirflowClient, name: str, payload: Mapping[str, Any], partition_key: str | None = None
) -> str:
    """Publish an event; its id.

    Args:
        name: of the event, or the URI of an asset.

    Raises:
        NobodyWaitsError: no DAG waits for it or publishes it.
        AirflowError: Airflow did not take it.
    """
    asset = find_asset(client, name)
    if asset is None:
        raise NobodyWaitsError(
            f"Event {name} was not published: no DAG in Airflow at {client.url} waits for it or "
            "publishes it. Export the flow that waits for it first (airflow create)."
        )
    extra = event_payload(name, payload)
    event = {"asset_id": asset["id"], "extra": extra}
    client.publish(event | ({"partition_key": partition_key} if partition_key else {}))
    return str(extra["id"])

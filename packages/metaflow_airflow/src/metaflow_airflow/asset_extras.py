"""What the events of a flow's own assets carry: the artifacts that its @airflow_asset name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

MOST = 2048
"""Bytes of JSON, of all assets of a flow together: a pod tells of its end in 4 KB."""


def extras(
    assets: Iterable[Mapping[str, Any]], artifacts: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """What each asset's event carries, by its URI, and a sentence for what it cannot.

    Args:
        assets: attributes of the decorators: uri, and extra, an artifact's name.
        artifacts: of the flow's last step.
    """
    found: dict[str, dict[str, Any]] = {}
    problems = []
    for asset in assets:
        uri, name = str(asset["uri"]).rstrip("/"), asset.get("extra")
        if not name:
            continue
        problem = _problem(name, artifacts)
        if not problem:
            found[uri] = dict(artifacts[name])
            if len(json.dumps(found)) > MOST:
                del found[uri]
                problem = f"artifact *{name}* is too large for an event (at most {MOST} bytes)"
        if problem:
            problems.append(f"The event of asset {uri} tells of the run alone: {problem}.")
    return found, problems


def _problem(name: str, artifacts: Mapping[str, Any]) -> str:
    if name not in artifacts:
        return f"the last step has no artifact *{name}*"
    if not isinstance(artifacts[name], Mapping):
        return f"artifact *{name}* is no dictionary"
    try:
        json.dumps(dict(artifacts[name]), allow_nan=False)
    except (TypeError, ValueError) as error:
        return f"artifact *{name}* is no JSON ({error})"
    return ""

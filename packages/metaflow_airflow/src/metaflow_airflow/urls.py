"""Where the site has other pages of a task: Metaflow's own UI, a dashboard of pods. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import quote

UI = "METAFLOW_UI_URL"
POD = "METAFLOW_AIRFLOW_POD_URL"
"""A dashboard's address of a pod, with {namespace} and {name} in it."""


def metaflow_ui(pathspec: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """The page of a run or a task in Metaflow's own UI; None where the site names none."""
    root = environ.get(UI)
    return f"{root.rstrip('/')}/{pathspec}" if root and pathspec else None


def pod_dashboard(namespace: str, name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The page of a pod in the site's dashboard; None where the site names none."""
    address = environ.get(POD)
    if not address:
        return None
    return address.replace("{namespace}", quote(namespace)).replace("{name}", quote(name))

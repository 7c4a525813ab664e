"""Buttons beside a task in Airflow's own page: to Metaflow's UI, to the dashboard of its pod.

A worker leaves an address at the end of its task; a trigger, which can, as soon as it is known.
Airflow asks each class for its buttons, so that a site without such pages has none.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

from metaflow_airflow import urls

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class _Left(BaseOperatorLink):
    """What the operator has left in `links`, by the link's key."""

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address; empty where the task has not come so far."""
        return str(getattr(operator, "links", {}).get(self.xcom_key) or "")


class MetaflowUiLink(_Left):
    """To the Metaflow task."""

    name = "Metaflow UI"
    xcom_key = "_link_MetaflowUiLink"


class PodLink(_Left):
    """To the pod."""

    name = "Pod"
    xcom_key = "_link_PodLink"


STEP_LINKS = (MetaflowUiLink(),) if os.environ.get(urls.UI) else ()
POD_LINKS = (*STEP_LINKS, PodLink()) if os.environ.get(urls.POD) else STEP_LINKS


def ui_link(flow: str, pathspec: str) -> dict[str, str]:
    """The address of a Metaflow task, by its link's key; empty where the site names no UI.

    Args:
        pathspec: run/step/task.
    """
    return _kept(MetaflowUiLink.xcom_key, urls.metaflow_ui(f"{flow}/{pathspec}"))


def pod_link(namespace: str, name: str) -> dict[str, str]:
    """The address of a pod, by its link's key; empty where the site names no dashboard."""
    return _kept(PodLink.xcom_key, urls.pod_dashboard(namespace, name))


def _kept(key: str, url: str | None) -> dict[str, str]:
    return {key: url} if url else {}

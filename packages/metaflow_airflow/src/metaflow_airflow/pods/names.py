"""What a step's pod is called, and how it is found again. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

_PREFIX = "metaflow-airflow"
SITE_LABEL = f"{_PREFIX}/site"
RUN_LABEL = f"{_PREFIX}/dag-run"
TASK_INSTANCE_LABEL = f"{_PREFIX}/task-instance"
TRY_LABEL = f"{_PREFIX}/try"
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
MANAGED_BY = {"app.kubernetes.io/managed-by": "metaflow-airflow"}
SITE_VARIABLE = "metaflow_airflow_site"
"""Airflow's variable that says which installation it is; made at the first pod."""
_ANNOTATIONS = ("dag_id", "dag_run_id", "task_id", "map_index", "try_number")


@dataclass(frozen=True)
class PodIdentity:
    """One try of one task instance of one Airflow installation.

    Args:
        site: which Airflow installation (see `site`); several may share a namespace.
        key: Airflow's id of the try: another one for each, in all installations.
    """

    site: str
    dag_id: str
    dag_run_id: str
    task_id: str
    map_index: int
    try_number: int
    key: str

    @property
    def name(self) -> str:
        """The pod's name; creating it twice is adopting it."""
        item = "" if self.map_index < 0 else f"-{self.map_index}"
        readable = re.sub(r"[^a-z0-9]+", "-", f"{self.dag_id}-{self.task_id}".lower()).strip("-")
        tail = f"{item}-{self.try_number}-{_hash(self.key)}"
        return f"{readable[: 63 - len(tail)].strip('-')}{tail}"

    @property
    def run(self) -> str:
        """The DAG run, as a label's value."""
        return _hash(self.site, self.dag_id, self.dag_run_id)

    @property
    def task_instance(self) -> str:
        """The task instance, the same for all its tries, as a label's value."""
        return _hash(self.run, self.task_id, str(self.map_index))

    @property
    def labels(self) -> dict[str, str]:
        """By which the pod is found."""
        return {
            **MANAGED_BY,
            SITE_LABEL: self.site,
            RUN_LABEL: self.run,
            TASK_INSTANCE_LABEL: self.task_instance,
            TRY_LABEL: str(self.try_number),
        }

    @property
    def annotations(self) -> dict[str, str]:
        """For people, and for whoever asks Airflow about a pod that was left behind."""
        return {f"{_PREFIX}/{name}": str(getattr(self, name)) for name in _ANNOTATIONS}


def described(annotations: Mapping[str, str]) -> dict[str, str]:
    """dag_id, dag_run_id, task_id, map_index and try_number of a pod, from its annotations."""
    return {name: annotations.get(f"{_PREFIX}/{name}", "") for name in _ANNOTATIONS}


def site_label(variable: str) -> str:
    """The label's value for what SITE_VARIABLE says, which anybody may have written."""
    return variable if _LABEL.fullmatch(variable) else site(variable)


def site(*parts: str) -> str:
    """A label's value for an Airflow installation, out of what only it has."""
    return _hash("site", *parts)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

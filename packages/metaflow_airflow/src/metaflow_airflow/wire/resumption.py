"""A run that resumes another one, as the configuration of its DAG run says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

KEY = "metaflow.resume"
"""In a DAG run's conf; no parameter of a flow can have a dot in its name."""


@dataclass(frozen=True)
class Resume:
    """What a run takes over.

    Args:
        run: Metaflow's id of the run whose finished tasks are copied.
        rerun: a step that runs again, with all after it, though it had finished.
        changed: the parameters that have other values than in that run.
    """

    run: str
    rerun: str | None = None
    changed: tuple[str, ...] = ()

    def to_conf(self) -> dict[str, Any]:
        """As an entry of a DAG run's conf."""
        return {KEY: asdict(self)}


def split(params: Mapping[str, Any]) -> tuple[dict[str, Any], Resume | None]:
    """The flow's own parameters, and what the run resumes, if anything."""
    own = dict(params)
    value = own.pop(KEY, None)
    if value is None:
        return own, None
    return own, Resume(**{**value, "changed": tuple(value["changed"])})

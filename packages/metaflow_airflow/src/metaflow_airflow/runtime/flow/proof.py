"""Whether a step that ended with exit code 0 has done its work, by what Metaflow stored. Pure.

Metaflow's own runtime looks too: a step that leaves by sys.exit(0), os._exit(0) or before its
self.next() ends the run, without a retry and past @catch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...wire.exit_codes import DISALLOW_RETRY
from ...wire.task import StepResult

_SWITCH = "split-switch"


@dataclass(frozen=True)
class StoredTask:
    """What Metaflow has stored of an attempt that it has marked as done.

    Args:
        ok: whether it ended well, in Metaflow's own words. kind: of the step, as its graph has it.
        went_to: the steps that self.next() named. leads_to: the steps of the graph.
        cardinality: how many items a foreach step made. choice: the step that a switch picked.
        values: of those items, as Metaflow shortens them; None where it has kept none.
        assets: see StepResult.
    """

    ok: bool
    kind: str
    went_to: tuple[str, ...]
    leads_to: tuple[str, ...]
    cardinality: int | None = None
    choice: str | None = None
    values: tuple[str, ...] | None = None
    assets: Mapping[str, Mapping[str, Any]] | None = None


def proven(step: str, stored: StoredTask | None) -> StepResult:
    """The result of a step whose process ended with exit code 0.

    Args:
        stored: what Metaflow has stored of it; None if it has not marked it as done.
    """
    missing = _missing(stored)
    if stored is None or missing:
        error = f"step {step} left early: {missing}"
        return StepResult(ok=False, exit_code=DISALLOW_RETRY, error=error)
    return StepResult(
        ok=True,
        exit_code=0,
        cardinality=stored.cardinality,
        choice=stored.choice,
        values=stored.values,
        assets=stored.assets,
    )


def _missing(stored: StoredTask | None) -> str | None:
    """What a step lacks to be done; None if it is."""
    if stored is None:
        return (
            "its process ended with exit code 0 before Metaflow had stored the task "
            "(os._exit(0), or a library that ends the process)"
        )
    if not stored.ok:
        return "it ended with exit code 0, but not at its own end (sys.exit(0))"
    if _is_as_planned(stored):
        return None
    expected = (" or " if stored.kind == _SWITCH else ", ").join(stored.leads_to)
    if not stored.went_to:
        return f"it returned without self.next(), which was to lead to {expected}"
    return f"self.next() led to {', '.join(stored.went_to)} instead of {expected}"


def _is_as_planned(stored: StoredTask) -> bool:
    if stored.kind == _SWITCH:
        return len(stored.went_to) == 1 and stored.went_to[0] in stored.leads_to
    return stored.went_to == stored.leads_to

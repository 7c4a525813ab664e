"""A DAG file that a newer bridge wrote is refused, not misread."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields

from metaflow_airflow.errors import BridgeError
from metaflow_airflow.plan.step import FORMAT, PlannedStep

_STEP_WORDS = {field.name for field in fields(PlannedStep)}


def check_format(flow: str, format: int, exported_by: str) -> None:
    """Look whether this bridge knows the words of a DAG file.

    Raises:
        BridgeError: a newer one wrote it.
    """
    if format > FORMAT:
        raise _too_new(f"This DAG of {flow} was exported by metaflow-airflow {exported_by}")


def check_words(step: str, words: Collection[str]) -> None:
    """Look at the words of a step: without one of them it would run otherwise than it was planned.

    Raises:
        BridgeError: a newer bridge wrote one that this one does not know.
    """
    if unknown := sorted({*words} - _STEP_WORDS):
        raise _too_new(
            f"This DAG's step {step} says {', '.join(unknown)}, a word of newer metaflow-airflows"
        )


def _too_new(what: str) -> BridgeError:
    from metaflow_airflow import __version__

    return BridgeError(
        f"{what}, but the older {__version__} is installed here. Upgrade metaflow-airflow where "
        "Airflow runs, or export the flow again with the older version."
    )

"""Finds what a training run left behind, through the Metaflow client."""

from __future__ import annotations

import warnings
from typing import Any

from ml_flows.errors import InputError

FLOW = "TrainTripDurationFlow"


def latest(cab: str, *, branch: str) -> str:
    """The latest successful training run for these taxis, in this namespace and project branch.

    Returns:
        its pathspec, FLOW/<run id>.

    Raises:
        InputError: there is none; the text says how to train.
    """
    from metaflow import Flow, get_namespace
    from metaflow.exception import MetaflowNamespaceMismatch, MetaflowNotFound

    try:
        runs = list(Flow(FLOW).runs(f"project_branch:{branch}"))
    except (MetaflowNotFound, MetaflowNamespaceMismatch):
        runs = []
    for run in runs:
        if run.successful and run.data.cab == cab:
            return str(run.pathspec)
    raise InputError(
        f"There is no successful run of {FLOW} for {cab} taxis in namespace "
        f"{get_namespace()!r}, branch {branch!r} ({len(runs)} runs looked at). Train first: "
        f"{_command(cab, branch)}; or trigger its DAG."
    )


def named(run_id: str, cab: str) -> str:
    """The training run of this id (or pathspec), if it can predict for these taxis.

    Returns:
        its pathspec, FLOW/<run id>.

    Raises:
        InputError: it is not there, has not succeeded, or has learned from other taxis.
    """
    from metaflow import Run, get_namespace
    from metaflow.exception import MetaflowNamespaceMismatch, MetaflowNotFound

    pathspec = f"{FLOW}/{run_id.strip().removeprefix(f'{FLOW}/')}"
    try:
        run = Run(pathspec)
    except (MetaflowNotFound, MetaflowNamespaceMismatch) as error:
        raise InputError(
            f"training_run: there is no run {pathspec} in namespace {get_namespace()!r}. "
            "Correct it, or leave it empty for the latest one."
        ) from error
    if not run.successful:
        raise InputError(f"training_run: {pathspec} has not ended successfully. Take another one.")
    if run.data.cab != cab:
        raise InputError(
            f"training_run: {pathspec} learned from {run.data.cab} taxis, asked are {cab} ones."
        )
    return pathspec


def _command(cab: str, branch: str) -> str:
    options = {"prod": "--production ", "user": ""}
    kind, _, name = branch.partition(".")
    option = options.get(kind, f"--branch {name} ")
    return (
        "uv run --package ml-flows python packages/ml_flows/src/ml_flows/train_trip_duration.py "
        f"{option}run --cab {cab}"
    )


def artifact(run: str, name: str) -> Any:
    """An artifact of a run (pathspec).

    Raises:
        InputError: the run has no such artifact, or it was made by another scikit-learn.
    """
    from metaflow import Run

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = getattr(Run(run).data, name)
        except AttributeError as error:
            raise InputError(
                f"{run} has no artifact {name!r}: another version of the flow made it. Train again."
            ) from error
    for warning in caught:
        # By its name: to import scikit-learn takes seconds, and most artifacts do not need it.
        if type(warning.message).__name__ == "InconsistentVersionWarning":
            raise InputError(
                f"Artifact {name!r} of {run} was made by another scikit-learn: {warning.message} "
                "Train again, or install that version."
            )
    return value

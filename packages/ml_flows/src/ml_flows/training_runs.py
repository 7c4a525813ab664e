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
    options = {"prod": "--production ", "user": ""}
    kind, _, name = branch.partition(".")
    option = options.get(kind, f"--branch {name} ")
    raise InputError(
        f"There is no successful run of {FLOW} for {cab} taxis in namespace "
        f"{get_namespace()!r}, branch {branch!r} ({len(runs)} runs looked at). Train first: "
        "uv run --package ml-flows python packages/ml_flows/src/ml_flows/train_trip_duration.py "
        f"{option}run --cab {cab}; or trigger its DAG."
    )


def artifact(run: str, name: str) -> Any:
    """An artifact of a run (pathspec).

    Raises:
        InputError: the run has no such artifact, or it was made by another scikit-learn.
    """
    from metaflow import Run
    from sklearn.exceptions import InconsistentVersionWarning

    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        try:
            return getattr(Run(run).data, name)
        except AttributeError as error:
            raise InputError(
                f"{run} has no artifact {name!r}: another version of the flow made it. Train again."
            ) from error
        except InconsistentVersionWarning as error:
            raise InputError(
                f"Artifact {name!r} of {run} was made by scikit-learn "
                f"{error.original_sklearn_version}, here is {error.current_sklearn_version}. "
                "Train again, or install that version."
            ) from error

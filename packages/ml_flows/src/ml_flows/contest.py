"""A challenger against its baselines and the champion, on held-out trips. Pure: frames and models
in, figures out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ml_flows import baselines, evaluation, intervals, model, promotion
from ml_flows.baselines import LINEAR, MEAN, RULE, Baselines
from ml_flows.evaluation import Errors, Floats, Lead, minutes
from ml_flows.intervals import Intervals
from ml_flows.promotion import Decision, Rival

CHAMPION = "champion"


class Contest(NamedTuple):
    """How it ended.

    Args:
        metrics: figures by name, for reports. leads: over each rival. decision: promoted or not.
        said: (trips,) minutes by who said them: "model", the baselines, "champion".
        quantiles: (trips, 3) minutes. slices: the model's errors by kind of slice and value.
        honest: errors on all trips that would have been asked for, if the data has them.
        importance: minutes of RMSE by what is known before the trip.
    """

    metrics: dict[str, Any]
    leads: list[Lead]
    decision: Decision
    said: dict[str, Floats]
    quantiles: Floats
    slices: dict[str, dict[Any, Errors]]
    honest: dict[str, Errors] | None
    importance: dict[str, float]


def hold(
    challenger: Any,
    within: Intervals,
    simple: Baselines,
    rival: Rival | None,
    trips: pl.DataFrame,
    outside: pl.DataFrame | None,
    *,
    rules: dict[str, Any],
    rows_train: int,
    seed: int = 0,
) -> Contest:
    """Let all predict the same trips, and judge the challenger.

    Args:
        trips: of 1 to 60 minutes. outside: shorter and longer ones, with `beyond`.
        rules: Config `promotion`.
    """
    actual, days = minutes(trips), evaluation.days_of(trips)
    said = {"model": model.predict(challenger, trips), **baselines.predict(simple, trips)}
    if rival and rival.model is not None:
        said[CHAMPION] = model.predict(rival.model, trips)
    leads = [
        evaluation.lead(
            f"the champion {rival.pathspec}" if name == CHAMPION and rival else name,
            days, actual, said["model"], theirs, confidence=rules["confidence"], seed=seed,
        )
        for name, theirs in said.items()
        if name != "model"
    ]  # fmt: skip
    decision = promotion.decide(
        leads,
        champion_problem=rival.problem if rival else None,
        rows=trips.height,
        days=len(np.unique(days)),
        rules=rules,
    )
    quantiles = intervals.predict(within, challenger, trips)
    inside = evaluation.errors(actual, said["model"])
    off = None if outside is None else model.predict(challenger, outside)
    honest = evaluation.honest(inside, outside, off)
    metrics = evaluation.compare(actual, said["model"], said[LINEAR], rows_train=rows_train)
    return Contest(
        metrics={
            **metrics,
            "mean_rmse": evaluation.errors(actual, said[MEAN])["rmse"],
            "rule_rmse": evaluation.errors(actual, said[RULE])["rmse"],
            "rule_mae": evaluation.errors(actual, said[RULE])["mae"],
            "median_mae": evaluation.errors(actual, quantiles[:, 1])["mae"],
            **intervals.coverage(actual, quantiles),
            **_flat(honest),
        },
        leads=leads,
        decision=decision,
        said=said,
        quantiles=quantiles,
        slices=evaluation.slices(trips, said["model"]),
        honest=honest,
        importance=model.importance(challenger, trips, seed=seed),
    )


def _flat(honest: dict[str, Errors] | None) -> dict[str, float | int | None]:
    """The honest figures by name; None where the data has no quarantine."""
    asked = honest["asked"] if honest else None
    beyond = honest["with_beyond"] if honest else None
    return {
        "honest_rmse": asked["rmse"] if asked else None,
        "honest_mae": asked["mae"] if asked else None,
        "honest_rows": asked["rows"] if asked else None,
        "honest_rmse_with_hours": beyond["rmse"] if beyond else None,
        "honest_rows_with_hours": beyond["rows"] if beyond else None,
    }

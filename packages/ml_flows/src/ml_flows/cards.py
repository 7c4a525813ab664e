"""What stands on the training's card: was it promoted, what changed, where it errs, its lineage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from metaflow.cards import Markdown, Table, VegaChart

from ml_flows import charts, search, split, vega
from ml_flows.baselines import LINEAR, MEAN, RULE
from ml_flows.contest import CHAMPION, Contest
from ml_flows.contract import Manifest
from ml_flows.evaluation import Errors, errors, errors_by, minutes
from ml_flows.lineage import link
from ml_flows.monitor import CELLS
from ml_flows.promotion import Rival, Scope
from ml_flows.split import Split

_NAMES = {
    "model": "This model",
    CHAMPION: "Champion so far",
    RULE: "Median of the zone pair at this hour",
    LINEAR: "Linear regression on zones, hour, weekday",
    MEAN: "Mean of all trips",
}


def training(
    plan: Split,
    where: Scope,
    found: Contest,
    rival: Rival | None,
    trips: pl.DataFrame,
    *,
    tried: Sequence[Mapping[str, Any]],
    run: str,
) -> list[Any]:
    """The card of a training.

    Args:
        trips: the held-out ones. tried: values and RMSE of each candidate. run: pathspec.
    """
    actual, hours = minutes(trips), trips["pickup_at"].dt.hour().to_numpy()
    said, metrics = found.said, found.metrics
    return [
        *alarms(_made_up(plan)),
        Markdown(
            f"# {_headline(found, where)}\n"
            f"How long will a {plan['cab']} taxi take? Learned from "
            f"**{split.train_period(plan)}** ({metrics['rows_train']:,} trips), tested on "
            f"**{split.test_period(plan)}** ({metrics['rows_test']:,} later trips that no model "
            f"here had seen), from zones, time, weekday{_known(plan)} alone."
        ),
        Markdown("## Why\n" + "\n".join(f"- {each}" for each in found.decision["reasons"])),
        VegaChart(charts.leads(found.leads)),
        Markdown(f"## What changed\n{_since(rival)}"),
        Table(
            [
                [_NAMES[name], *_figures(errors(actual, said[name]))]
                for name in _NAMES
                if name in said
            ],
            headers=["Model", "RMSE, minutes", "MAE, minutes", "Bias, minutes", "Trips"],
        ),
        Markdown("## On all trips that would be asked for\n" + _honesty(found.honest)),
        Table(
            [
                [name, *_figures(each)]
                for name, each in {
                    "lasted 1 to 60 minutes": errors(actual, said["model"]),
                    **_asked(found.honest),
                }.items()
            ],
            headers=["Trips that", "RMSE, minutes", "MAE, minutes", "Bias, minutes", "Trips"],
        ),
        Markdown("## Where it errs"),
        VegaChart(
            charts.errors_by_hour(found.slices["hour"], errors_by(hours, actual, said[RULE]))
        ),
        *(
            VegaChart(charts.errors_by(name, found.slices[name]))
            for name in ("borough", "distance")
            if name in found.slices
        ),
        Markdown("## How it errs\nTrips on the dashed line were predicted to the minute."),
        VegaChart(charts.predicted_against_actual(charts.cells(actual, said["model"], CELLS))),
        Markdown(
            f"## How sure it is\n{metrics['coverage']:.1%} of the trips lay in the interval that "
            f"was to hold 80 %, {metrics['width']:.1f} minutes wide on average."
        ),
        VegaChart(charts.calibration(below(metrics))),
        Markdown("## What it looks at"),
        VegaChart(charts.bars(found.importance, "growth of the RMSE when shuffled, minutes")),
        Markdown("## What was tried"),
        Table(
            [[search.named(each["values"]), f"{each['rmse']:.3f}"] for each in tried],
            headers=["Candidate", "RMSE on the last days to learn from, minutes"],
        ),
        Markdown(f"## Where it comes from\nRun {link(run)}."),
        _datasets(split.manifests(plan)),
    ]


def alarms(*sentences: str) -> list[Any]:
    """What nobody may overlook, in red, above all else."""
    return [VegaChart(vega.alarm(each)) for each in sentences if each]


def below(figures: Mapping[str, float]) -> dict[float, float]:
    """Share of trips below each quantile, by quantile."""
    return {level: figures[f"below_{round(100 * level)}"] for level in (0.1, 0.5, 0.9)}


def _headline(found: Contest, where: Scope) -> str:
    better = 100 * (1 - found.metrics["rmse"] / found.metrics["rule_rmse"])
    place = f"{where.taxis} taxis in branch {where.branch}"
    if found.decision["promoted"]:
        return f"Promoted: the champion of {place}, {better:.1f} % better than the best simple rule"
    return f"Held back: it does not become the champion of {place}"


def _since(rival: Rival | None) -> str:
    if rival is None:
        return "There was no champion before it."
    return (
        f"The champion so far is {link(rival.pathspec)}, on the same trips where it can be asked."
    )


def _known(plan: Split) -> str:
    """The end of the list of what the model sees, with the months of the pairs' history."""
    months = {old["month"] for each in plan["train"] for old in each.get("history", [])}
    if not months:
        return " and holidays"
    return f", holidays and trips between the two zones in {', '.join(sorted(months))}"


def _made_up(plan: Split) -> str:
    months = " and ".join(split.made_up(plan))
    return (
        f"The trips of {months} are MADE UP: this tells nothing about real ones." if months else ""
    )


def _honesty(honest: Mapping[str, Errors] | None) -> str:
    if honest is None:
        return (
            "The datasets keep no trips under 1 or over 60 minutes (contract 1), so that the error "
            "on them is not known."
        )
    return (
        "Whoever asks does not know yet that the trip will last 1 to 60 minutes; the model learns "
        "from such trips alone, and says no other duration."
    )


def _asked(honest: Mapping[str, Errors] | None) -> dict[str, Errors]:
    if honest is None:
        return {}
    return {
        "lasted up to 3 hours": honest["asked"],
        "lasted up to days (meters left on)": honest["with_beyond"],
    }


def _figures(each: Errors) -> list[str]:
    return [
        f"{each['rmse']:.2f}", f"{each['mae']:.2f}", f"{each['bias']:+.2f}", f"{each['rows']:,}",
    ]  # fmt: skip


def _datasets(manifests: list[Manifest]) -> Any:
    return Table(
        [
            [
                each["month"],
                f"{each['rows']:,}",
                str(each.get("source_uri", "")),
                Markdown(f"`{each['uri']}`"),
            ]
            for each in manifests
        ],
        headers=["Month", "Trips", "Source", "Dataset"],
    )

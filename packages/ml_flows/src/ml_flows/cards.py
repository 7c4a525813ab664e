"""What stands on the flows' cards: a sentence, the figures, then charts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
from metaflow.cards import Markdown, Table, VegaChart

from ml_flows import charts, dataset
from ml_flows.dataset import Manifest, Split
from ml_flows.drift import Reference, Statistics, error_distribution
from ml_flows.metrics import Floats, errors_by, minutes

_PLOTTED = ("duration_minutes", "hour", "weekday", "pickup_zone")
_WORDS = {"stable": "stable", "moderate": "**moderate**", "large": "**large**"}


def training(
    split: Split,
    metrics: Mapping[str, float | int],
    importance: Mapping[str, float],
    trips: pl.DataFrame,
    predicted: Floats,
    baseline: Floats,
) -> list[Any]:
    """The card of a training: the model beside its baseline on the held-out trips."""
    actual = minutes(trips)
    hours = trips["pickup_at"].dt.hour().to_numpy()
    return [
        Markdown(
            f"# {metrics['improvement_percent']:.1f} % better than linear regression\n"
            f"How long will a {split['cab']} taxi take? Learned from "
            f"**{dataset.train_period(split)}** ({metrics['rows_train']:,} trips), tested on "
            f"**{dataset.test_period(split)}** ({metrics['rows_test']:,} trips that neither model "
            "had seen), from zones, time of day and weekday alone." + _made_up(split)
        ),
        Table(
            [
                [
                    name,
                    f"{metrics[prefix + 'rmse']:.2f}",
                    f"{metrics[prefix + 'mae']:.2f}",
                    f"{metrics[prefix + 'bias']:+.2f}",
                ]
                for name, prefix in (
                    ("Gradient boosting", ""),
                    ("Linear regression on zones", "baseline_"),
                )
            ],
            headers=["Model", "RMSE, minutes", "MAE, minutes", "Bias, minutes"],
        ),
        Markdown("## When it errs"),
        VegaChart(
            charts.errors_by_hour(
                errors_by(hours, actual, predicted), errors_by(hours, actual, baseline)
            )
        ),
        Markdown("## How it errs\nTrips on the dashed line were predicted to the minute."),
        VegaChart(charts.predicted_against_actual(actual, predicted)),
        Markdown("## What it looks at"),
        VegaChart(charts.bars(importance, "growth of the RMSE when shuffled, minutes")),
        Markdown("## What it read"),
        _datasets(dataset.manifests(split)),
    ]


def drift(
    predictions: Manifest,
    before: Statistics,
    now: Statistics,
    data: Mapping[str, Mapping[str, Any]],
    reference: Reference,
    concept: Mapping[str, Any],
    trips: pl.DataFrame,
    predicted: Floats,
) -> list[Any]:
    """The card of a prediction: has the month drifted away from the training?"""
    actual = minutes(trips)
    labels = ("training", str(predictions["month"]))
    moved = [name.replace("_", " ") for name, each in data.items() if each["level"] != "stable"]
    days = trips["pickup_at"].dt.day().to_numpy()
    return [
        Markdown(
            f"# {_headline(moved, str(concept['level']))}\n"
            f"{predictions['rows']:,} trips of {predictions['cab']} taxis in "
            f"**{predictions['month']}**, predicted with the model of "
            f"`{predictions['training_run']}`, compared with the months that it learned from."
        ),
        Markdown("## Data drift: other trips?"),
        Table(
            [
                [
                    name.replace("_", " "),
                    f"{each['psi']:.3f}",
                    _optional(each, "ks", "{:.3f}"),
                    _optional(each, "wasserstein", "{:.2f}"),
                    _optional(each, "jensen_shannon", "{:.3f}"),
                    _optional(each, "unseen", "{:.2%}"),
                    Markdown(_WORDS[each["level"]]),
                ]
                for name, each in data.items()
            ],
            headers=["Feature", "PSI", "KS", "Wasserstein", "Jensen-Shannon", "Unseen", "Level"],
        ),
        VegaChart(charts.psi_bars(data)),
        *(VegaChart(charts.distribution(name, before, now, labels)) for name in _PLOTTED),
        Markdown(
            "## Concept drift: other errors?\n"
            "The reference are trips of the training months that the model was not fitted on. "
            f"Level: {_WORDS[str(concept['level'])]}."
        ),
        Table(
            [
                [
                    name,
                    f"{concept[prefix + 'rmse']:.2f}",
                    f"{concept[prefix + 'mae']:.2f}",
                    f"{concept[prefix + 'bias']:+.2f}",
                    f"{concept[prefix + 'rows']:,}",
                ]
                for name, prefix in ((f"In {labels[1]}", ""), ("In training", "reference_"))
            ],
            headers=["", "RMSE, minutes", "MAE, minutes", "Bias, minutes", "Trips"],
        ),
        VegaChart(
            charts.error_distributions(
                reference["distribution"], error_distribution(actual, predicted), labels
            )
        ),
        VegaChart(charts.errors_by_day(errors_by(days, actual, predicted), reference["errors"])),
        Markdown(f"Predictions: `{predictions['uri']}`"),
    ]


def _headline(moved: list[str], concept: str) -> str:
    if not moved and concept == "stable":
        return "No drift"
    parts = []
    if moved:
        parts.append(f"data drift in {', '.join(moved)}")
    if concept != "stable":
        parts.append(f"{concept} concept drift")
    sentence = " and ".join(parts)
    return sentence[0].upper() + sentence[1:]


def _optional(figures: Mapping[str, Any], name: str, form: str) -> str:
    return form.format(figures[name]) if name in figures else ""


def _made_up(split: Split) -> str:
    months = " and ".join(dataset.made_up(split))
    return (
        f" **The trips of {months} are made up**, so this tells nothing about real ones."
        if months
        else ""
    )


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

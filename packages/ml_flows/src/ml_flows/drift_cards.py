"""What stands on the prediction's card: may it be trusted, and has the world moved?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metaflow.cards import Markdown, Table, VegaChart

from ml_flows import charts, drift_charts, split
from ml_flows.cards import alarms, below
from ml_flows.contract import Manifest
from ml_flows.drift import STABLE, Limits, Reference, Statistics
from ml_flows.lineage import link
from ml_flows.monitor import Watch

_PLOTTED = ("duration_minutes", "hour", "weekday", "pickup_zone")
_FIGURES = {
    "psi": ("PSI", "{:.3f}"),
    "psi_noise": ("PSI by chance", "{:.3f}"),
    "last_year_psi": ("PSI to last year", "{:.3f}"),
    "ks": ("KS", "{:.3f}"),
    "wasserstein": ("Wasserstein", "{:.2f}"),
    "jensen_shannon": ("Jensen-Shannon", "{:.3f}"),
    "unseen": ("Unseen", "{:.2%}"),
    "unseen_noise": ("Unseen by chance", "{:.2%}"),
}


def prediction(
    predictions: Manifest,
    before: Statistics,
    reference: Reference,
    found: Watch,
    limits: Limits,
) -> list[Any]:
    """The card of a prediction.

    Args:
        before, reference: what the training left. limits: Config `drift`.
    """
    labels = ("training", str(predictions["month"]))
    concept = found.concept_drift
    return [
        *alarms(
            _made_up(predictions),
            split.warning(
                predictions["time_order"], predictions["month"], predictions["learned_from"]
            ),
        ),
        Markdown(
            f"# {_headline(found)}\n"
            f"{predictions['rows']:,} trips of {predictions['cab']} taxis in "
            f"**{predictions['month']}**, predicted with the model of "
            f"{link(predictions['training_run'])}, compared with the months that it learned from: "
            f"{', '.join(predictions['learned_from'])}."
        ),
        Markdown("## Data drift: other trips?\n" + _how(limits, found.last_year)),
        _drift_table(found.drift),
        VegaChart(drift_charts.psi_bars(found.drift, limits["psi"])),
        *(
            VegaChart(drift_charts.distribution(name, before, found.statistics, labels))
            for name in _PLOTTED
        ),
        Markdown(
            "## Concept drift: other errors?\n"
            "The reference are the last days of the training months, which the model was not "
            f"fitted on. Level: **{concept['level']}**."
        ),
        Table(
            [
                [
                    name,
                    f"{concept[prefix + 'rmse']:.2f}",
                    f"{concept[prefix + 'bias']:+.2f}",
                ]
                for name, prefix in (
                    (f"In {labels[1]}", ""),
                    ("In training", "reference_"),
                    ("In the same month of the year before", "last_year_"),
                )
                if f"{prefix}rmse" in concept
            ],
            headers=["", "RMSE, minutes", "Bias, minutes"],
        ),
        VegaChart(
            drift_charts.error_distributions(
                reference["distribution"], found.errors["distribution"], labels
            )
        ),
        VegaChart(drift_charts.errors_by_day(found.by_day, reference["errors"])),
        Markdown("## How it errs"),
        VegaChart(charts.predicted_against_actual(found.cells)),
        Markdown(
            f"## How sure it is\n{found.coverage['coverage']:.1%} of the trips lay in the interval "
            f"that was to hold 80 %, {found.coverage['width']:.1f} minutes wide on average."
        ),
        VegaChart(charts.calibration(below(found.coverage))),
        Markdown(
            f"## Where it comes from\nRun {link(predictions['run'])} in branch "
            f"`{predictions['branch']}`, code `{predictions['code_version']}`; features "
            f"`{predictions['features_uri']}`; predictions `{predictions['uri']}`."
        ),
    ]


def _drift_table(drift: Mapping[str, Mapping[str, Any]]) -> Any:
    there = [name for name in _FIGURES if any(name in each for each in drift.values())]
    return Table(
        [
            [
                feature.replace("_", " "),
                *(_FIGURES[n][1].format(each[n]) if n in each else "" for n in there),
                Markdown(each["level"] if each["level"] == STABLE else f"**{each['level']}**"),
            ]
            for feature, each in drift.items()
        ],
        headers=["Feature", *(_FIGURES[name][0] for name in there), "Level"],
    )


def _how(limits: Limits, last_year: bool) -> str:
    season = (
        "A level is the milder of that against the training and that against the same month of the "
        "year before: what last year shows too is season."
        if last_year
        else "The same month of the year before is not published: season cannot be told from drift."
    )
    (psi, psi_large), (unseen, unseen_large) = limits["psi"], limits["unseen"]
    return (
        f"Beyond what chance makes: PSI above {psi} is moderate, above {psi_large} large; so are "
        f"{unseen:.0%} and {unseen_large:.0%} of trips with a value that the training did not "
        f"have. Under {limits['min_rows']:,} trips nothing is judged. {season}"
    )


def _headline(found: Watch) -> str:
    levels = {name: each["level"] for name, each in found.drift.items()}
    unsure = [name for name, level in levels.items() if level == "not judged"]
    moved = [name.replace("_", " ") for name, at in levels.items() if at in ("moderate", "large")]
    parts = []
    if moved:
        parts.append(f"data drift in {', '.join(moved)}")
    if unsure:
        parts.append("too few trips to judge data drift")
    concept = found.concept_drift["level"]
    if concept == "not judged":
        parts.append("concept drift not judged")
    elif concept != STABLE:
        parts.append(f"{concept} concept drift")
    sentence = " and ".join(parts) or "no drift"
    return sentence[0].upper() + sentence[1:]


def _made_up(predictions: Manifest) -> str:
    if not predictions["made_up"]:
        return ""
    return f"The trips of {predictions['month']} are MADE UP: this tells nothing about real ones."

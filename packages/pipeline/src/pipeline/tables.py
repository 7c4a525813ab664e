"""The tables that the commands print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from pipeline.outcome import Outcome

Json = dict[str, Any]
# In the order in which the data team's contract asks them.
_REASONS = (
    "other_month", "non_positive_duration", "too_long", "zero_distance", "too_far",
    "unknown_zone", "outside_range", "refund", "duplicate",
)  # fmt: skip
# Months that are shown beside each other; more are shown below each other.
_SIDE_BY_SIDE = 3
_THEN = "reference_"
# Figures of data drift, and what heads their columns.
_DRIFT = {
    "psi": "PSI", "psi_noise": "chance", "level": "level", "unseen": "unseen", "ks": "KS",
    "jensen_shannon": "JS", "wasserstein": "W1",
}  # fmt: skip
_DRIFT_HELP = (
    "PSI: population stability index, large where it is 0.25 above what chance makes of it;",
    "unseen: share not in the training, where large more than 10 % above chance;",
    "KS: Kolmogorov-Smirnov; JS: Jensen-Shannon; W1: Wasserstein, in the feature's unit",
)
_SHARES = {"unseen"}
_CONCEPT = {
    "rmse": "RMSE, minutes", "mae": "MAE, minutes", "bias": "bias, minutes", "rows": "trips",
    "rmse_ratio": "RMSE ratio", "bias_shift": "shift of the bias, minutes",
    "ks": "Kolmogorov-Smirnov of the errors", "wasserstein": "Wasserstein of the errors, minutes",
}  # fmt: skip


def outcome_tables(outcome: Outcome) -> RenderableType:
    """Return the end of the pipeline: rows, features, model, predictions, drift, seconds."""
    return Group(
        _rows(outcome.features),
        _model(outcome.report),
        _predictions(outcome.report["predict"]),
        _drift(outcome.report["predict"]["drift"]),
        _seconds(outcome.seconds),
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", min_width=60)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    return table


def _rows(datasets: list[Json]) -> Table:
    cab = datasets[0]["cab"]
    made_up = "made-up " if all(d["source"] == "generator" for d in datasets) else ""
    title = f"Features of {made_up}{cab} trips"
    if len(datasets) > _SIDE_BY_SIDE:
        return _months(title, datasets)
    table = _table(title, "rows", *(d["month"] for d in datasets))

    def line(name: str, values: list[Any]) -> None:
        table.add_row(name, *(f"{v:,}" if isinstance(v, int) else str(v) for v in values))

    line("source", [d["source"] for d in datasets])
    line("read", [d["rows_read"] for d in datasets])
    line("kept", [d["rows_kept"] for d in datasets])
    for reason in _names(datasets, "set_aside", _REASONS):
        line(f"set aside: {reason}", [d["set_aside"].get(reason, 0) for d in datasets])
    for note in _names(datasets, "noted"):
        line(f"noted: {note}", [d["noted"].get(note, 0) for d in datasets])
    return _signed(table, *(d["uri"] for d in datasets))


def _months(title: str, datasets: list[Json]) -> Table:
    """Return a line a month: many months do not fit beside each other."""
    table = _table(title, "month", "source", "read", "kept", "set aside", "mostly")
    for each in datasets:
        aside = each["set_aside"]
        table.add_row(
            each["month"], each["source"], f"{each['rows_read']:,}", f"{each['rows_kept']:,}",
            f"{1 - each['rows_kept'] / each['rows_read']:.1%}",
            max(aside, key=aside.__getitem__, default=""),
        )  # fmt: skip
    # .../<month>/<version>/features.parquet
    return _signed(table, *dict.fromkeys(each["uri"].rsplit("/", 3)[0] for each in datasets))


def _names(datasets: list[Json], key: str, first: Sequence[str] = ()) -> list[str]:
    """Return the names counted in any dataset, those of `first` in its order, then the others."""
    there = dict.fromkeys(name for d in datasets for name in d.get(key, {}))
    return [n for n in first if n in there] + sorted(n for n in there if n not in first)


def _model(report: Json) -> Table:
    train = report["train"]
    table = _table("Trip duration, on held-out time", "minutes", "model", "linear", "better by")
    for name, key in (("RMSE", "rmse"), ("MAE", "mae")):
        model, linear = train[key], train[f"baseline_{key}"]
        table.add_row(name, f"{model:.2f}", f"{linear:.2f}", f"{1 - model / linear:.0%}")
    return _signed(table, *_judged(train), train["run"])


def _judged(train: Json) -> list[str]:
    """What else the training says of itself: the best rule, all trips asked for, the verdict.

    What it does not say, or cannot (no quarantine), has no line.
    """
    lines = {
        "rule_rmse": "best simple rule (zone pair at this hour): RMSE {:.2f}",
        "honest_rmse": "on all trips of up to 3 hours that would have been asked for: RMSE {:.2f}",
        "coverage": "{:.1%} of the trips in the interval that is to hold 80 %",
    }
    said = [text.format(train[name]) for name, text in lines.items() if train.get(name)]
    if decision := train.get("decision"):
        said.append("promoted" if decision["promoted"] else "held back: " + decision["reasons"][0])
    return said


def _predictions(predict: Json) -> Table:
    """Return predictions written, and concept drift: errors at training beside those now."""
    concept = predict["concept_drift"]
    table = _table("Predictions and concept drift", "figure", "at training", "this month")
    table.add_row("predictions written", "", _figure(predict["rows"]))
    then = {n.removeprefix(_THEN): v for n, v in concept.items() if n.startswith(_THEN)}
    for name, value in concept.items():
        if not name.startswith(_THEN):
            before = _figure(then[name]) if name in then else ""
            table.add_row(_CONCEPT.get(name, name.replace("_", " ")), before, _figure(value))
    return _signed(table, predict["uri"], predict["run"])


def _drift(drift: Mapping[str, Json]) -> Table:
    """Return one row a feature, and a column for each figure that any feature has."""
    there = {name for feature in drift.values() for name in feature}
    figures = [name for name in _DRIFT if name in there]
    table = _table("Data drift", "feature", *(_DRIFT[name] for name in figures))
    for feature, found in drift.items():
        table.add_row(
            feature,
            *(_figure(found[f], share=f in _SHARES) if f in found else "" for f in figures),
        )
    return _signed(table, *_DRIFT_HELP)


def _figure(value: Any, *, share: bool = False) -> str:
    if share:
        return f"{value:.2%}"
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _signed(table: Table, *sources: str) -> Table:
    """Write below a table where its figures come from."""
    table.caption, table.caption_justify = "\n".join(sources), "left"
    return table


def _seconds(seconds: Mapping[str, float]) -> Table:
    table = _table("Seconds", "stage", "s")
    for stage, value in seconds.items():
        table.add_row(stage, f"{value:.1f}")
    table.add_section()
    table.add_row("together", f"{sum(seconds.values()):.1f}")
    return table


def status_table(status: Json) -> Table:
    """Return the servers of a stack: state, process, address, log."""
    table = Table(title=f"{status.get('state', '')}: {status['phase']}", title_justify="left")
    for column in ("server", "state", "pid", "address"):
        table.add_column(column, overflow="fold")
    for name, info in status["servers"].items():
        table.add_row(name, info["state"], str(info.get("pid") or "-"), info.get("url", "-"))
    return table

"""The tables that the commands print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from embedded.pipeline import Outcome

Json = dict[str, Any]


def outcome_tables(outcome: Outcome) -> RenderableType:
    """Return the end of the pipeline: rows, features, model, predictions, drift, seconds."""
    return Group(
        _rows(outcome.features),
        _model(outcome.report),
        _predictions(outcome.report["predict"]),
        _seconds(outcome.seconds),
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", min_width=60)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    return table


def _rows(datasets: list[Json]) -> Table:
    cab = datasets[0]["cab"]
    table = _table(f"Features of {cab} trips", "rows", *(d["month"] for d in datasets))

    def line(name: str, values: list[Any]) -> None:
        table.add_row(name, *(f"{v:,}" if isinstance(v, int) else str(v) for v in values))

    line("source", [d["source"] for d in datasets])
    line("read", [d["rows_read"] for d in datasets])
    line("kept", [d["rows_kept"] for d in datasets])
    for reason in dict.fromkeys(r for d in datasets for r in d["set_aside"]):
        line(f"set aside: {reason}", [d["set_aside"].get(reason, 0) for d in datasets])
    for note in dict.fromkeys(n for d in datasets for n in d.get("noted", {})):
        line(f"noted: {note}", [d["noted"].get(note, 0) for d in datasets])
    table.caption = "\n".join(d["uri"] for d in datasets)
    table.caption_justify = "left"
    return table


def _model(report: Json) -> Table:
    train = report["train"]
    table = _table("Trip duration, on held-out time", "minutes", "model", "linear", "better by")
    for name, key in (("RMSE", "rmse"), ("MAE", "mae")):
        model, linear = train[key], train[f"baseline_{key}"]
        table.add_row(name, f"{model:.2f}", f"{linear:.2f}", f"{1 - model / linear:.0%}")
    table.caption, table.caption_justify = f"run {train['run']}", "left"
    return table


def _predictions(predict: Json) -> Table:
    table = _table("Predictions and drift", "what", "figure")
    table.add_row("predictions written", f"{predict['rows']:,}")
    for feature, figures in predict["drift"].items():
        table.add_row(f"data drift: {feature}", _figures(figures))
    table.add_row("concept drift", _figures(predict["concept_drift"]))
    table.caption = f"{predict['uri']}\nrun {predict['run']}"
    table.caption_justify = "left"
    return table


def _figures(figures: Any) -> str:
    if isinstance(figures, Mapping):
        return "\n".join(f"{name} {_figures(value)}" for name, value in figures.items())
    if isinstance(figures, float):
        return f"{figures:.4g}"
    return str(figures)


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

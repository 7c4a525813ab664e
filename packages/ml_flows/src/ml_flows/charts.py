"""Charts for the cards. Pure: numbers in, Matplotlib figures out; nothing is shown or saved."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ml_flows.drift import LARGE_PSI, MODERATE_PSI, Distribution, Statistics
from ml_flows.metrics import LONGEST, Errors, Floats

MODEL, OTHER, NEW, INK, FAINT = "#2563a8", "#9aa5b1", "#d9822b", "#1f2933", "#e4e7eb"
_LEVELS = {"stable": MODEL, "moderate": NEW, "large": "#c0392b"}
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def png(figure: Figure) -> bytes:
    """The figure as a PNG file's bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def errors_by_hour(model: Mapping[int, Errors], baseline: Mapping[int, Errors]) -> Figure:
    """RMSE by hour of pickup, the model beside the baseline."""
    figure, (axes,) = _figure(1, height=3.2)
    for errors, color, label in (
        (baseline, OTHER, "linear baseline"),
        (model, MODEL, "gradient boosting"),
    ):
        axes.plot(
            list(errors), [e["rmse"] for e in errors.values()], color=color, label=label, lw=2.2
        )
    axes.set(xlabel="hour of pickup", ylabel="RMSE, minutes", xlim=(0, 23), ylim=(0, None))
    axes.set_xticks(range(0, 24, 3))
    axes.legend(frameon=False, ncols=2)
    return figure


def predicted_against_actual(actual: Floats, predicted: Floats) -> Figure:
    """How many trips of each actual duration got each prediction (logarithmic shades)."""
    figure, (axes,) = _figure(1, width=5.2, height=4.6)
    shades = axes.hexbin(
        actual, predicted, gridsize=48, bins="log", mincnt=1, cmap="Blues", linewidths=0,
        extent=(0, LONGEST, 0, LONGEST),
    )  # fmt: skip
    axes.plot([0, LONGEST], [0, LONGEST], color=INK, lw=1, ls=(0, (4, 3)))
    axes.set(
        xlabel="actual, minutes", ylabel="predicted, minutes", xlim=(0, LONGEST), ylim=(0, LONGEST)
    )
    axes.set_aspect("equal")
    figure.colorbar(shades, ax=axes, label="trips", shrink=0.8).outline.set_visible(False)
    return figure


def bars(values: Mapping[str, float], label: str) -> Figure:
    """Horizontal bars, the first on top."""
    figure, (axes,) = _figure(1, width=5.2, height=0.8 + 0.42 * len(values))
    _bars(axes, values, [MODEL] * len(values), "{:.1f}")
    axes.set(xlabel=label)
    return figure


def psi_bars(figures: Mapping[str, Mapping[str, Any]]) -> Figure:
    """PSI by feature, coloured by level, with the usual limits."""
    figure, (axes,) = _figure(1, height=0.9 + 0.4 * len(figures))
    values = {_title(name): float(each["psi"]) for name, each in figures.items()}
    _bars(axes, values, [_LEVELS[each["level"]] for each in figures.values()], "{:.3f}")
    for limit, name in ((MODERATE_PSI, "moderate"), (LARGE_PSI, "large")):
        axes.axvline(limit, color=INK, lw=1, ls=(0, (4, 3)))
        axes.annotate(
            name, (limit, 1), xycoords=("data", "axes fraction"), xytext=(4, -2),
            textcoords="offset points", fontsize=8, color=INK, va="top",
        )  # fmt: skip
    axes.set(xlabel="population stability index", xlim=(0, max(0.3, 1.2 * max(values.values()))))
    return figure


def distributions(before: Statistics, now: Statistics, labels: tuple[str, str]) -> Figure:
    """Shares of trips in training and now: duration, hour, weekday, commonest pickup zones."""
    figure, grid = _figure(4, height=5.6, columns=2)
    for axes, name in zip(
        grid, ("duration_minutes", "hour", "weekday", "pickup_zone"), strict=True
    ):
        old, new = before[name], now[name]
        axes.set_title(_title(name), fontsize=10, loc="left", color=INK)
        axes.set_ylabel("% of trips", fontsize=8)
        if before[name]["ordered"]:
            for each, color, label in ((old, OTHER, labels[0]), (new, NEW, labels[1])):
                axes.plot(each["values"], _percent(each), color=color, lw=2, label=label)
        else:
            shown = old["values"][np.argsort(-old["counts"], kind="stable")[:10]]
            shown = np.sort(shown) if name == "weekday" else shown
            ticks = [_WEEKDAYS[int(v)] if name == "weekday" else f"{v:.0f}" for v in shown]
            for shift, each, color, label in (
                (-0.2, old, OTHER, labels[0]),
                (0.2, new, NEW, labels[1]),
            ):
                share = dict(zip(each["values"], _percent(each), strict=True))
                axes.bar(
                    np.arange(len(shown)) + shift, [share.get(v, 0.0) for v in shown],
                    width=0.4, color=color, label=label,
                )  # fmt: skip
            axes.set_xticks(range(len(shown)), ticks, fontsize=8)
        axes.set_ylim(0, None)
    grid[0].legend(frameon=False, fontsize=9)
    return figure


def error_distributions(then: Distribution, now: Distribution, labels: tuple[str, str]) -> Figure:
    """Distribution of predicted minus actual minutes, in training and now."""
    figure, (axes,) = _figure(1, height=3.0)
    for each, color, label in ((then, OTHER, labels[0]), (now, NEW, labels[1])):
        axes.plot(each["values"], _percent(each), color=color, lw=2.2, label=label)
    axes.axvline(0, color=INK, lw=1, ls=(0, (4, 3)))
    axes.set(
        xlabel="predicted minus actual, minutes",
        ylabel="% of trips",
        xlim=(-25, 25),
        ylim=(0, None),
    )
    axes.legend(frameon=False)
    return figure


def errors_by_day(days: Mapping[int, Errors], then: Errors) -> Figure:
    """RMSE and bias by day of the month, with those of the training as lines."""
    figure, (axes,) = _figure(1, height=3.0)
    numbers = list(days)
    axes.plot(numbers, [e["rmse"] for e in days.values()], color=NEW, lw=2.2, label="RMSE")
    axes.bar(numbers, [e["bias"] for e in days.values()], color=MODEL, width=0.7, label="bias")
    axes.axhline(then["rmse"], color=NEW, lw=1, ls=(0, (4, 3)), label="RMSE in training")
    axes.axhline(0, color=INK, lw=0.8)
    axes.set(xlabel="day of the month", ylabel="minutes")
    axes.set_ylim(None, 1.35 * max(then["rmse"], *(e["rmse"] for e in days.values())))
    axes.legend(frameon=False, ncols=3, loc="upper center")
    return figure


def _figure(
    count: int, *, width: float = 8.0, height: float, columns: int = 1
) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    grid = figure.subplots(-(-count // columns), columns, squeeze=False).ravel()
    for axes in grid:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(OTHER)
        axes.tick_params(color=OTHER, labelcolor=INK, labelsize=9)
        axes.grid(axis="y", color=FAINT, lw=0.8)
        axes.set_axisbelow(True)
    return figure, list(grid)


def _bars(axes: Axes, values: Mapping[str, float], colors: Sequence[str], form: str) -> None:
    drawn = axes.barh(list(values), list(values.values()), color=colors, height=0.62)
    axes.bar_label(drawn, [form.format(v) for v in values.values()], padding=4, fontsize=9)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color=FAINT, lw=0.8)
    axes.margins(x=0.14)


def _percent(each: Distribution) -> Floats:
    share: Floats = 100 * each["counts"] / each["counts"].sum()
    return share


def _title(name: str) -> str:
    return {"duration_minutes": "duration, minutes"}.get(name, name.replace("_", " "))

"""Charts for the cards, as Vega-Lite specifications. Pure: numbers in, dictionaries out.

The reader's browser draws them, from the copy of Vega that each card carries: a step that makes
a card loads no drawing library, and figures stand under the mouse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ml_flows.drift import LARGE_PSI, MODERATE_PSI, Distribution, Statistics
from ml_flows.metrics import LONGEST, Errors, Floats

Spec = dict[str, Any]

MODEL, OTHER, NEW, INK, FAINT = "#2563a8", "#9aa5b1", "#d9822b", "#1f2933", "#e4e7eb"
_LEVELS = {"stable": MODEL, "moderate": NEW, "large": "#c0392b"}
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SHOWN_ZONES = 10
_CELLS = 48
_LOOK = {
    "view": {"stroke": None},
    "axis": {"gridColor": FAINT, "domainColor": OTHER, "tickColor": OTHER, "labelColor": INK},
    "legend": {"orient": "top", "title": None},
}
_DASHED = {"color": INK, "strokeDash": [4, 3], "strokeWidth": 1}


def errors_by_hour(model: Mapping[int, Errors], baseline: Mapping[int, Errors]) -> Spec:
    """RMSE by hour of pickup, the model beside the baseline."""
    series = {"linear baseline": (baseline, OTHER), "gradient boosting": (model, MODEL)}
    rows = [
        {"hour": hour, "rmse": each["rmse"], "model": name}
        for name, (errors, _) in series.items()
        for hour, each in errors.items()
    ]
    return _chart(
        rows,
        {"type": "line", "strokeWidth": 2.2, "point": True, "tooltip": True},
        {
            "x": _axis("hour", "hour of pickup", domain=(0, 23)),
            "y": _axis("rmse", "RMSE, minutes"),
            "color": _colors("model", {name: color for name, (_, color) in series.items()}),
        },
    )


def predicted_against_actual(actual: Floats, predicted: Floats) -> Spec:
    """How many trips of each actual duration got each prediction (logarithmic shades)."""
    edges = np.linspace(0, LONGEST, _CELLS + 1)
    counts, _, _ = np.histogram2d(actual, predicted, bins=(edges, edges))
    rows = [
        {
            "actual": edges[i], "actual_to": edges[i + 1], "predicted": edges[j],
            "predicted_to": edges[j + 1], "trips": int(counts[i, j]),
        }
        for i, j in np.argwhere(counts)
    ]  # fmt: skip
    cells = {
        "mark": {"type": "rect", "tooltip": True},
        "encoding": {
            "x": _axis("actual", "actual, minutes", domain=(0, LONGEST)),
            "x2": {"field": "actual_to"},
            "y": _axis("predicted", "predicted, minutes", domain=(0, LONGEST)),
            "y2": {"field": "predicted_to"},
            "color": {
                "field": "trips",
                "type": "quantitative",
                "scale": {"type": "log", "scheme": "blues"},
                "legend": {"orient": "right", "title": "trips"},
            },
        },
    }
    exact = {
        "data": {"values": [{"minute": 0}, {"minute": LONGEST}]},
        "mark": {"type": "line", **_DASHED},
        "encoding": {"x": _plain("minute"), "y": _plain("minute")},
    }
    return {
        "data": {"values": rows}, "layer": [cells, exact], "width": 400, "height": 400,
        "config": _LOOK,
    }  # fmt: skip


def bars(values: Mapping[str, float], label: str) -> Spec:
    """Horizontal bars, the first on top."""
    rows = [{"name": name, "value": value} for name, value in values.items()]
    return _layers(_bars(rows, label, ".1f", {"value": MODEL}), height=_height(rows))


def psi_bars(figures: Mapping[str, Mapping[str, Any]]) -> Spec:
    """PSI by feature, coloured by level, with the usual limits."""
    rows = [
        {"name": _title(name), "value": float(each["psi"]), "level": each["level"]}
        for name, each in figures.items()
    ]
    highest = max(0.3, 1.2 * max(row["value"] for row in rows))
    limits = [
        {"limit": MODERATE_PSI, "name": "moderate"},
        {"limit": LARGE_PSI, "name": "large"},
    ]
    color = {**_colors("level", _LEVELS), "legend": None}
    text = {"type": "text", "align": "left", "dx": 4, "y": 8, "fontSize": 10, "color": INK}
    return _layers(
        [
            *_bars(rows, "population stability index", ".3f", color, domain=(0, highest)),
            {
                "data": {"values": limits},
                "mark": {"type": "rule", **_DASHED},
                "encoding": {"x": _plain("limit")},
            },
            {
                "data": {"values": limits},
                "mark": text,
                "encoding": {"x": _plain("limit"), "text": {"field": "name"}},
            },
        ],
        height=_height(rows),
    )


def distribution(name: str, before: Statistics, now: Statistics, labels: tuple[str, str]) -> Spec:
    """Shares of trips by a feature's value, in training and now; of zones the commonest."""
    old, new = before[name], now[name]
    colors = dict(zip(labels, (OTHER, NEW), strict=True))
    shares = {label: _shares(each) for label, each in zip(labels, (old, new), strict=True)}
    if old["ordered"]:
        return _lines(shares, colors, _title(name)) | {"height": 180}
    shown = old["values"][np.argsort(-old["counts"], kind="stable")[:_SHOWN_ZONES]]
    shown = np.sort(shown) if name == "weekday" else shown
    words = {v: _WEEKDAYS[int(v)] if name == "weekday" else f"{v:.0f}" for v in shown.tolist()}
    rows = [
        {"value": word, "percent": share.get(value, 0.0), "of": label}
        for label, share in shares.items()
        for value, word in words.items()
    ]
    axis: Spec = {"field": "value", "type": "nominal", "sort": None, "title": _title(name)}
    return _chart(
        rows,
        {"type": "bar", "tooltip": True},
        {
            "x": axis | {"axis": {"labelAngle": 0}},
            "xOffset": {"field": "of", "sort": list(labels)},
            "y": _axis("percent", "% of trips"),
            "color": _colors("of", colors),
        },
        height=180,
    )


def error_distributions(then: Distribution, now: Distribution, labels: tuple[str, str]) -> Spec:
    """Distribution of predicted minus actual minutes, in training and now."""
    shares = {label: _shares(each) for label, each in zip(labels, (then, now), strict=True)}
    colors = dict(zip(labels, (OTHER, NEW), strict=True))
    spec = _lines(shares, colors, "predicted minus actual, minutes", domain=(-25, 25))
    lines = {name: spec.pop(name) for name in ("data", "mark", "encoding")}
    zero = {"data": {"values": [{"at": 0}]}, "mark": {"type": "rule", **_DASHED}}
    return spec | {"layer": [lines, zero | {"encoding": {"x": _plain("at")}}]}


def errors_by_day(days: Mapping[int, Errors], then: Errors) -> Spec:
    """RMSE and bias by day of the month, with the RMSE of the training as a line."""
    colors = _colors("figure", {"RMSE": NEW, "bias": MODEL, "RMSE in training": INK})
    day: Spec = {"field": "day", "type": "ordinal", "title": "day of the month"}

    def layer(mark: Spec, name: str, minutes: Mapping[int | None, float]) -> Spec:
        rows = [{"day": at, "minutes": value, "figure": name} for at, value in minutes.items()]
        encoding = {"y": _axis("minutes", "minutes"), "color": colors}
        if None not in minutes:
            encoding["x"] = day | {"axis": {"labelAngle": 0}}
        return {"data": {"values": rows}, "mark": mark | {"tooltip": True}, "encoding": encoding}

    layers = [
        layer({"type": "bar"}, "bias", {at: each["bias"] for at, each in days.items()}),
        layer({"type": "line", "point": True}, "RMSE", {at: e["rmse"] for at, e in days.items()}),
    ]
    # NaN, what errors of no rows are, is no JSON: it would blank the whole card.
    if then["rows"]:
        rule = {"type": "rule", "strokeDash": [4, 3]}
        layers.append(layer(rule, "RMSE in training", {None: then["rmse"]}))
    return _layers(layers, height=220)


def _chart(rows: Sequence[Spec], mark: Spec, encoding: Spec, *, height: int = 240) -> Spec:
    return {
        "data": {"values": list(rows)}, "mark": mark, "encoding": encoding,
        "height": height, "config": _LOOK,
    }  # fmt: skip


def _layers(layers: Sequence[Spec], *, height: int) -> Spec:
    return {"layer": list(layers), "height": height, "config": _LOOK}


def _lines(
    shares: Mapping[str, Mapping[float, float]],
    colors: Mapping[str, str],
    title: str,
    domain: tuple[float, float] | None = None,
) -> Spec:
    rows = [
        {"value": value, "percent": percent, "of": label}
        for label, share in shares.items()
        for value, percent in share.items()
        if domain is None or domain[0] <= value <= domain[1]
    ]
    return _chart(
        rows,
        {"type": "line", "strokeWidth": 2.2, "tooltip": True},
        {
            "x": _axis("value", title, domain=domain),
            "y": _axis("percent", "% of trips"),
            "color": _colors("of", colors),
        },
    )


def _bars(
    rows: Sequence[Spec],
    label: str,
    form: str,
    color: Spec,
    domain: tuple[float, float] | None = None,
) -> list[Spec]:
    place = {
        "y": {"field": "name", "type": "nominal", "sort": None, "title": None},
        "x": _axis("value", label, domain=domain),
    }
    figures = {"field": "value", "type": "quantitative", "format": form}
    text = {"type": "text", "align": "left", "dx": 4, "color": INK}
    data = {"values": list(rows)}
    return [
        {
            "data": data,
            "mark": {"type": "bar", "tooltip": True},
            "encoding": place | {"color": color},
        },
        {"data": data, "mark": text, "encoding": place | {"text": figures}},
    ]


def _axis(field: str, title: str, domain: tuple[float, float] | None = None) -> Spec:
    scale = {"scale": {"domain": list(domain)}} if domain else {}
    return {"field": field, "type": "quantitative", "title": title} | scale


def _plain(field: str) -> Spec:
    return {"field": field, "type": "quantitative"}


def _colors(field: str, colors: Mapping[str, str]) -> Spec:
    scale = {"domain": list(colors), "range": list(colors.values())}
    return {"field": field, "type": "nominal", "scale": scale}


def _height(rows: Sequence[Spec]) -> int:
    return 30 * len(rows)


def _shares(each: Distribution) -> dict[float, float]:
    """Percent of the trips by value."""
    percent = 100 * each["counts"] / each["counts"].sum()
    return dict(zip(each["values"].tolist(), percent.tolist(), strict=True))


def _title(name: str) -> str:
    return {"duration_minutes": "duration, minutes"}.get(name, name.replace("_", " "))

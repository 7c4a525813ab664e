"""Charts of a prediction's card, as Vega-Lite specifications. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ml_flows import vega
from ml_flows.drift import Distribution, Statistics
from ml_flows.evaluation import Errors
from ml_flows.vega import ALARM, DASHED, INK, MODEL, NEW, OTHER, Spec

_LEVELS = {"stable": MODEL, "moderate": NEW, "large": ALARM, "not judged": OTHER}
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SHOWN = 10


def psi_bars(figures: Mapping[str, Mapping[str, Any]], limits: Sequence[float]) -> Spec:
    """PSI by feature, coloured by level, with the limits of moderate and large."""
    rows = [
        {"name": _title(name), "value": float(each["psi"]), "level": each["level"]}
        for name, each in figures.items()
    ]
    highest = max(1.2 * limits[1], 1.2 * max(row["value"] for row in rows))
    marks = [{"limit": at, "name": n} for at, n in zip(limits, ("moderate", "large"), strict=True)]
    color = {**vega.colors("level", _LEVELS), "legend": None}
    text = {"type": "text", "align": "left", "dx": 4, "y": 8, "fontSize": 10, "color": INK}
    return vega.layers(
        [
            *vega.bars(rows, "population stability index", ".3f", color, domain=(0, highest)),
            {
                "data": {"values": marks},
                "mark": {"type": "rule", **DASHED},
                "encoding": {"x": vega.plain("limit")},
            },
            {
                "data": {"values": marks},
                "mark": text,
                "encoding": {"x": vega.plain("limit"), "text": {"field": "name"}},
            },
        ],
        height=vega.height(rows),
    )


def distribution(name: str, before: Statistics, now: Statistics, labels: tuple[str, str]) -> Spec:
    """Shares of trips by a feature's value, in training and now; of zones the commonest."""
    old, new = before[name], now[name]
    of = dict(zip(labels, (OTHER, NEW), strict=True))
    shares = {label: _shares(each) for label, each in zip(labels, (old, new), strict=True)}
    if old["ordered"]:
        return vega.lines(shares, of, _title(name)) | {"height": 180}
    shown = old["values"][np.argsort(-old["counts"], kind="stable")[:_SHOWN]]
    shown = np.sort(shown) if name == "weekday" else shown
    words = {v: _WEEKDAYS[int(v)] if name == "weekday" else f"{v:.0f}" for v in shown.tolist()}
    rows = [
        {"value": word, "percent": share.get(value, 0.0), "of": label}
        for label, share in shares.items()
        for value, word in words.items()
    ]
    axis: Spec = {"field": "value", "type": "nominal", "sort": None, "title": _title(name)}
    return vega.chart(
        rows,
        {"type": "bar", "tooltip": True},
        {
            "x": axis | {"axis": {"labelAngle": 0}},
            "xOffset": {"field": "of", "sort": list(labels)},
            "y": vega.axis("percent", "% of trips"),
            "color": vega.colors("of", of),
        },
        height=180,
    )


def error_distributions(then: Distribution, now: Distribution, labels: tuple[str, str]) -> Spec:
    """Distribution of predicted minus actual minutes, in training and now."""
    shares = {label: _shares(each) for label, each in zip(labels, (then, now), strict=True)}
    of = dict(zip(labels, (OTHER, NEW), strict=True))
    spec = vega.lines(shares, of, "predicted minus actual, minutes", domain=(-25, 25))
    drawn = {name: spec.pop(name) for name in ("data", "mark", "encoding")}
    zero = {"data": {"values": [{"at": 0}]}, "mark": {"type": "rule", **DASHED}}
    return spec | {"layer": [drawn, zero | {"encoding": {"x": vega.plain("at")}}]}


def errors_by_day(days: Mapping[int, Errors], then: Errors) -> Spec:
    """RMSE and bias by day of the month, with the RMSE of the training as a line."""
    color = vega.colors("figure", {"RMSE": NEW, "bias": MODEL, "RMSE in training": INK})
    day: Spec = {"field": "day", "type": "ordinal", "title": "day of the month"}

    def layer(mark: Spec, name: str, minutes: Mapping[int | None, float]) -> Spec:
        rows = [{"day": at, "minutes": value, "figure": name} for at, value in minutes.items()]
        encoding = {"y": vega.axis("minutes", "minutes"), "color": color}
        if None not in minutes:
            encoding["x"] = day | {"axis": {"labelAngle": 0}}
        return {"data": {"values": rows}, "mark": mark | {"tooltip": True}, "encoding": encoding}

    parts = [
        layer({"type": "bar"}, "bias", {at: each["bias"] for at, each in days.items()}),
        layer({"type": "line", "point": True}, "RMSE", {at: e["rmse"] for at, e in days.items()}),
    ]
    # NaN, what errors of no rows are, is no JSON: it would blank the whole card.
    if then["rows"]:
        rule = {"type": "rule", "strokeDash": [4, 3]}
        parts.append(layer(rule, "RMSE in training", {None: then["rmse"]}))
    return vega.layers(parts, height=220)


def _shares(each: Distribution) -> dict[float, float]:
    """Percent of the trips by value."""
    percent = 100 * each["counts"] / each["counts"].sum()
    return dict(zip(each["values"].tolist(), percent.tolist(), strict=True))


def _title(name: str) -> str:
    return {"duration_minutes": "duration, minutes"}.get(name, name.replace("_", " "))

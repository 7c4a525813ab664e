"""Charts of a training's card, as Vega-Lite specifications. Pure: numbers in, dictionaries out.

The reader's browser draws them, from the copy of Vega that each card carries: a step that makes
a card loads no drawing library, and figures stand under the mouse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ml_flows import vega
from ml_flows.evaluation import LONGEST, Errors, Floats, Lead
from ml_flows.vega import ALARM, DASHED, MODEL, OTHER, Spec


def errors_by_hour(model: Mapping[int, Errors], baseline: Mapping[int, Errors]) -> Spec:
    """RMSE by hour of pickup, the model beside its best baseline."""
    series = {"zone pair by hour": (baseline, OTHER), "model": (model, MODEL)}
    rows = [
        {"hour": hour, "rmse": each["rmse"], "model": name}
        for name, (errors, _) in series.items()
        for hour, each in errors.items()
    ]
    return vega.chart(
        rows,
        {"type": "line", "strokeWidth": 2.2, "point": True, "tooltip": True},
        {
            "x": vega.axis("hour", "hour of pickup", domain=(0, 23)),
            "y": vega.axis("rmse", "RMSE, minutes"),
            "color": vega.colors("model", {name: color for name, (_, color) in series.items()}),
        },
    )


def errors_by(name: str, errors: Mapping[Any, Errors]) -> Spec:
    """RMSE by borough or distance, with the bias beside it."""
    rows = [{"name": str(key), "value": each["rmse"], **each} for key, each in errors.items()]
    label = f"RMSE by {name}, minutes"
    return vega.layers(vega.bars(rows, label, ".2f", {"value": MODEL}), height=vega.height(rows))


def leads(over: Sequence[Lead]) -> Spec:
    """By how much the model is better than each rival, with the interval; 0 as a line."""
    rows = [{**each, "sure": "sure" if each["low"] > 0 else "not sure"} for each in over]
    rival = {"field": "rival", "type": "nominal", "sort": None, "title": None}
    color = vega.colors("sure", {"sure": MODEL, "not sure": ALARM})
    data: Spec = {"values": rows}
    return vega.layers(
        [
            {
                "data": data,
                "mark": {"type": "rule", "strokeWidth": 3, "tooltip": True},
                "encoding": {
                    "y": rival,
                    "x": vega.axis("low", "minutes of RMSE better"),
                    "x2": {"field": "high"},
                    "color": color,
                },
            },
            {
                "data": data,
                "mark": {"type": "point", "filled": True, "size": 90, "tooltip": True},
                "encoding": {"y": rival, "x": vega.plain("lead"), "color": color},
            },
            {
                "data": {"values": [{"at": 0}]},
                "mark": {"type": "rule", **DASHED},
                "encoding": {"x": vega.plain("at")},
            },
        ],
        height=40 * len(rows),
    )


def calibration(below: Mapping[float, float]) -> Spec:
    """What share of the trips lay below each quantile; on the dashed line as many as promised."""
    rows = [{"promised": level, "found": share} for level, share in below.items()]
    exact = [{"promised": 0, "found": 0}, {"promised": 1, "found": 1}]
    axes = {
        "x": vega.axis("promised", "quantile", domain=(0, 1)),
        "y": vega.axis("found", "share of trips below it", domain=(0, 1)),
    }
    points = {"type": "point", "filled": True, "size": 120, "color": MODEL, "tooltip": True}
    return vega.layers(
        [
            {"data": {"values": exact}, "mark": {"type": "line", **DASHED}, "encoding": axes},
            {"data": {"values": rows}, "mark": points, "encoding": axes},
        ],
        height=240,
    ) | {"width": 240}


def cells(actual: Floats, predicted: Floats, count: int) -> Floats:
    """(count, count) trips by actual and predicted minutes."""
    edges = np.linspace(0, LONGEST, count + 1)
    found: Floats = np.histogram2d(actual, predicted, bins=(edges, edges))[0]
    return found


def predicted_against_actual(counts: Floats) -> Spec:
    """How many trips of each actual duration got each prediction (logarithmic shades).

    Args:
        counts: as cells() gives them.
    """
    edges = np.linspace(0, LONGEST, len(counts) + 1)
    rows = [
        {
            "actual": edges[i], "actual_to": edges[i + 1], "predicted": edges[j],
            "predicted_to": edges[j + 1], "trips": int(counts[i, j]),
        }
        for i, j in np.argwhere(counts)
    ]  # fmt: skip
    drawn = {
        "mark": {"type": "rect", "tooltip": True},
        "encoding": {
            "x": vega.axis("actual", "actual, minutes", domain=(0, LONGEST)),
            "x2": {"field": "actual_to"},
            "y": vega.axis("predicted", "predicted, minutes", domain=(0, LONGEST)),
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
        "mark": {"type": "line", **DASHED},
        "encoding": {"x": vega.plain("minute"), "y": vega.plain("minute")},
    }
    return {
        "data": {"values": rows}, "layer": [drawn, exact], "width": 400, "height": 400,
        "config": vega.LOOK,
    }  # fmt: skip


def bars(values: Mapping[str, float], label: str) -> Spec:
    """Horizontal bars, the first on top."""
    rows = [{"name": name, "value": value} for name, value in values.items()]
    parts = vega.bars(rows, label, ".2f", {"value": MODEL})
    return vega.layers(parts, height=vega.height(rows))

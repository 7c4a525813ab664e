"""The pieces of which the charts are made: Vega-Lite specifications as dictionaries. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Spec = dict[str, Any]

MODEL, OTHER, NEW, INK, FAINT, ALARM = (
    "#2563a8", "#9aa5b1", "#d9822b", "#1f2933", "#e4e7eb", "#c0392b",
)  # fmt: skip
LOOK = {
    "view": {"stroke": None},
    "axis": {"gridColor": FAINT, "domainColor": OTHER, "tickColor": OTHER, "labelColor": INK},
    "legend": {"orient": "top", "title": None},
}
DASHED = {"color": INK, "strokeDash": [4, 3], "strokeWidth": 1}


def alarm(text: str) -> Spec:
    """A line of text in red: a card's Markdown has no colours."""
    mark = {"type": "text", "color": ALARM, "fontSize": 16, "fontWeight": "bold", "align": "left"}
    encoding = {"text": {"field": "says", "type": "nominal"}, "x": {"value": 0}}
    return chart([{"says": text}], mark, encoding, height=24) | {"width": "container"}


def chart(rows: Sequence[Spec], mark: Spec, encoding: Spec, *, height: int = 240) -> Spec:
    """One mark for each row."""
    return {
        "data": {"values": list(rows)}, "mark": mark, "encoding": encoding,
        "height": height, "config": LOOK,
    }  # fmt: skip


def layers(parts: Sequence[Spec], *, height: int) -> Spec:
    """Charts on top of one another."""
    return {"layer": list(parts), "height": height, "config": LOOK}


def lines(
    shares: Mapping[str, Mapping[float, float]],
    of: Mapping[str, str],
    title: str,
    domain: tuple[float, float] | None = None,
) -> Spec:
    """A line for each of several distributions.

    Args:
        shares: percent by value, by what they are of. of: the colour of each.
    """
    rows = [
        {"value": value, "percent": percent, "of": label}
        for label, share in shares.items()
        for value, percent in share.items()
        if domain is None or domain[0] <= value <= domain[1]
    ]
    return chart(
        rows,
        {"type": "line", "strokeWidth": 2.2, "tooltip": True},
        {
            "x": axis("value", title, domain=domain),
            "y": axis("percent", "% of trips"),
            "color": colors("of", of),
        },
    )


def bars(
    rows: Sequence[Spec],
    label: str,
    form: str,
    color: Spec,
    domain: tuple[float, float] | None = None,
) -> list[Spec]:
    """Horizontal bars with their figures, as layers; rows have name and value."""
    place = {
        "y": {"field": "name", "type": "nominal", "sort": None, "title": None},
        "x": axis("value", label, domain=domain),
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


def axis(field: str, title: str, domain: tuple[float, float] | None = None) -> Spec:
    """A numeric axis."""
    scale = {"scale": {"domain": list(domain)}} if domain else {}
    return {"field": field, "type": "quantitative", "title": title} | scale


def plain(field: str) -> Spec:
    """A numeric position without an axis of its own."""
    return {"field": field, "type": "quantitative"}


def colors(field: str, of: Mapping[str, str]) -> Spec:
    """The colour of each value."""
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": list(of), "range": list(of.values())},
    }


def height(rows: Sequence[Spec]) -> int:
    """Of as many bars, pixels."""
    return 30 * max(1, len(rows))

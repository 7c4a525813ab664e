"""Has the world moved since the training? Pure: distributions in, figures out.

Data drift: the trips come from elsewhere (zones, hours, durations). Concept drift: the same kind of
trip takes another time, so that the model errs otherwise than it did on trips of its own months
that it had not been fitted on.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

import numpy as np
import numpy.typing as npt
import polars as pl

from ml_flows.metrics import TARGET, Errors, Floats, errors

COMMONEST = 50
"""Of a feature without order (zones): how many values stand for themselves; the rest is 'other'."""

MODERATE_PSI, LARGE_PSI = 0.1, 0.25
"""The field's usual limits."""

_WORSE = (1.1, 1.25)  # RMSE as a multiple of the reference's: moderate, large
_OFF = (0.1, 0.25)  # bias that was not there, as a share of the reference's RMSE
_ERROR_BIN = 0.5  # minutes

Level = Literal["stable", "moderate", "large"]
Counts = npt.NDArray[np.int64]


class Distribution(TypedDict):
    """How often each value occurs. ordered: distances between values mean something."""

    ordered: bool
    values: npt.NDArray[np.float64]
    counts: Counts


class Reference(TypedDict):
    """How the model erred on rows of the training months that it was not fitted on."""

    errors: Errors
    distribution: Distribution


Statistics = dict[str, Distribution]
"""By feature."""


def describe(trips: pl.DataFrame) -> Statistics:
    """The distributions of what the model sees and of the durations (whole minutes)."""
    pair = pl.col("pickup_zone").cast(pl.Int64) * 1000 + pl.col("dropoff_zone").cast(pl.Int64)
    columns = trips.select(
        pl.col("pickup_zone"),
        pl.col("dropoff_zone"),
        zone_pair=pair,
        hour=pl.col("pickup_at").dt.hour(),
        weekday=pl.col("weekday"),
        duration_minutes=pl.col(TARGET).floor(),
    )
    ordered = ("hour", TARGET)  # a week has no beginning
    return {
        name: distribution(columns[name].cast(pl.Float64).to_numpy(), ordered=name in ordered)
        for name in columns.columns
    }


def distribution(values: Floats, *, ordered: bool) -> Distribution:
    """Count the values."""
    found, counts = np.unique(values, return_counts=True)
    return Distribution(ordered=ordered, values=found, counts=counts.astype(np.int64))


def reference(actual: Floats, predicted: Floats) -> Reference:
    """How the model errs on rows of its own months that it was not fitted on."""
    return Reference(
        errors=errors(actual, predicted), distribution=error_distribution(actual, predicted)
    )


def error_distribution(actual: Floats, predicted: Floats) -> Distribution:
    """Of predicted minus actual, in half minutes."""
    return distribution(np.round((predicted - actual) / _ERROR_BIN) * _ERROR_BIN, ordered=True)


def data_drift(before: Statistics, now: Statistics) -> dict[str, dict[str, Any]]:
    """Compare the training's statistics with a new month's.

    Returns:
        by feature: psi, psi_noise (what chance alone makes of so few rows), level; for ordered
        features ks (0 to 1) and wasserstein (in the feature's unit), for others jensen_shannon
        (0 to 1) and unseen (share of rows with a value that the training did not have).
    """
    figures: dict[str, dict[str, Any]] = {}
    for name, then in before.items():
        values, old, new = _aligned(then, now[name])
        merged = _merged(old, new, then["ordered"])
        psi, noise = _psi(*merged)
        figure: dict[str, Any] = {
            "psi": psi,
            "psi_noise": noise,
            "level": _level(psi - noise, MODERATE_PSI, LARGE_PSI),
        }
        if then["ordered"]:
            figure["ks"] = _ks(old, new)
            figure["wasserstein"] = _wasserstein(old, new, values)
        else:
            figure["jensen_shannon"] = _jensen_shannon(*merged)
            figure["unseen"] = float(new[old == 0].sum() / max(1, new.sum()))
        figures[name] = figure
    return figures


def concept_drift(reference: Reference, actual: Floats, predicted: Floats) -> dict[str, Any]:
    """Compare how the model errs on a new month with how it erred on its own months.

    Returns:
        rmse, mae, bias, rows of both (the reference's as reference_*), rmse_ratio, bias_shift, ks
        and wasserstein (minutes) between the distributions of errors, level.
    """
    then, now = reference["errors"], errors(actual, predicted)
    now_errors = error_distribution(actual, predicted)
    values, old, new = _aligned(reference["distribution"], now_errors)
    ratio = now["rmse"] / then["rmse"]
    shift = now["bias"] - then["bias"]
    levels = (_level(ratio, *_WORSE), _level(abs(shift) / then["rmse"], *_OFF))
    return {
        **{f"reference_{name}": value for name, value in then.items()},
        **now,
        "rmse_ratio": ratio,
        "bias_shift": shift,
        "ks": _ks(old, new),
        "wasserstein": _wasserstein(old, new, values),
        "level": max(levels, key=("stable", "moderate", "large").index),
    }


def _aligned(first: Distribution, second: Distribution) -> tuple[Floats, Counts, Counts]:
    """The values of either, in order, and how often each distribution has them."""
    values = np.union1d(first["values"], second["values"])
    aligned = []
    for each in (first, second):
        counts = np.zeros(len(values), dtype=np.int64)
        counts[np.searchsorted(values, each["values"])] = each["counts"]
        aligned.append(counts)
    return values, aligned[0], aligned[1]


def _merged(old: Counts, new: Counts, ordered: bool) -> tuple[Counts, Counts]:
    """Put together what is too rare to compare, judged by the older counts."""
    if ordered or len(old) <= COMMONEST:
        return old, new
    common = np.argsort(-old, kind="stable")[:COMMONEST]
    return (
        np.append(old[common], old.sum() - old[common].sum()),
        np.append(new[common], new.sum() - new[common].sum()),
    )


def _psi(old: Counts, new: Counts) -> tuple[float, float]:
    """Population stability index, and what to expect of it between samples of one population."""
    # Half a row more in each bin: an empty bin is rare, not impossible.
    p = (old + 0.5) / (old.sum() + 0.5 * len(old))
    q = (new + 0.5) / (new.sum() + 0.5 * len(new))
    noise = (len(old) - 1) * (1 / max(1, old.sum()) + 1 / max(1, new.sum()))
    return float(np.sum((q - p) * np.log(q / p))), float(noise)


def _ks(old: Counts, new: Counts) -> float:
    """Largest distance between the two cumulative shares."""
    return float(np.abs(np.cumsum(old) / old.sum() - np.cumsum(new) / new.sum()).max())


# SciPy has these two as well, but importing it takes longer than everything else in the step.
def _wasserstein(old: Counts, new: Counts, values: Floats) -> float:
    """Mean way, in the values' unit, that a row goes when one distribution becomes the other."""
    apart = np.abs(np.cumsum(old) / old.sum() - np.cumsum(new) / new.sum())
    return float(np.sum(apart[:-1] * np.diff(values)))


def _jensen_shannon(old: Counts, new: Counts) -> float:
    """Jensen-Shannon distance, 0 (same) to 1 (nothing in common)."""
    p, q = old / old.sum(), new / new.sum()
    middle = (p + q) / 2
    bits = [np.sum(each[each > 0] * np.log2(each[each > 0] / middle[each > 0])) for each in (p, q)]
    return float(np.sqrt(max(0.0, sum(bits) / 2)))


def _level(value: float, moderate: float, large: float) -> Level:
    return "large" if value > large else "moderate" if value > moderate else "stable"

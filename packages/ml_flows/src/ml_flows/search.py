"""Which candidates a search tries. Pure, and free of imports that take time."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from typing import Any

from ml_flows.errors import InputError

Values = dict[str, Any]

KNOWN = (
    "learning_rate",
    "l2_regularization",
    "loss",
    "max_bins",
    "max_depth",
    "max_features",
    "max_leaf_nodes",
    "min_samples_leaf",
)
"""What of scikit-learn's HistGradientBoostingRegressor a space may hold."""


def candidates(space: Mapping[str, Sequence[Any]], budget: int, *, seed: int) -> list[Values]:
    """The values to begin with, then others of the space drawn without repeating, to the budget.

    Raises:
        InputError: an empty list, an unknown name, or no budget.
    """
    if budget < 1:
        raise InputError(f"Config search: candidates is {budget}; at least one must be tried.")
    for name, values in space.items():
        if name not in KNOWN:
            raise InputError(f"Config search: space has {name!r}, which is none of {KNOWN}.")
        if not isinstance(values, Sequence) or isinstance(values, str) or not values:
            raise InputError(f"Config search: space.{name} must be a list of values to try.")
    points = [dict(zip(space, point, strict=True)) for point in itertools.product(*space.values())]
    first, others = points[0], points[1:]
    drawn = random.Random(seed).sample(others, min(budget - 1, len(others)))  # noqa: S311
    return [first, *drawn]


def named(values: Values) -> str:
    """A candidate in a few words, such as "max_leaf_nodes 63, l2_regularization 5.0"."""
    return ", ".join(f"{name} {value}" for name, value in values.items())


def best(tried: Sequence[Any], failures: Sequence[Any]) -> Any:
    """Of the candidates that were fitted the one with the smallest error on the validation trips.

    Args:
        tried: what has `fitted.rmse`. failures: what the others raised, for the message.

    Raises:
        InputError: none was fitted.
    """
    # What @catch keeps reads as a whole traceback; its last line says what was wrong.
    failed = [str(each).strip().splitlines()[-1] for each in failures if each is not None]
    for each in failed:
        print(f"a candidate failed and is left out: {each}")
    if not tried:
        raise InputError(f"No candidate could be fitted. The first failed with: {failed[0]}")
    return min(tried, key=lambda each: each.fitted.rmse)

"""The month that a prediction is for: its parameters say it, or the training that started it."""

from __future__ import annotations

from typing import Any, NamedTuple

from ml_flows import registry, split


class Wanted(NamedTuple):
    """A month of features."""

    features_root: str
    cab: str
    month: str


def wanted(trigger: Any, parameters: Wanted) -> Wanted:
    """The month to predict.

    Args:
        trigger: `current.trigger`; a training's end stands for the month it was tested on.
        parameters: what counts in any other run.

    Raises:
        InputError: another version of the flow made the training.
    """
    if not trigger or trigger.run is None:
        return parameters
    training = str(trigger.run.pathspec)
    tested = registry.artifact(training, "split")
    return Wanted(
        features_root=str(registry.artifact(training, "features_root")),
        cab=str(tested["cab"]),
        month=split.tested_months(tested)[-1],
    )

"""Values for a flow's parameters, as its command line has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metaflow_airflow.compat.metaflow_export import parameters
from metaflow_airflow.errors import BridgeError


def read_given(flow: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that were given, by parameter; files are sent to the datastore.

    Args:
        values: by click's names of the options; None: not given.
    """
    from metaflow.parameters import DelayedEvaluationParameter

    given = {}
    for _, parameter in parameters(flow):
        value = values.get(parameter.name.replace("-", "_").lower())
        if parameter.IS_CONFIG_PARAMETER or value is None:  # JSON's null is one that is evaluated
            continue
        if isinstance(value, DelayedEvaluationParameter):
            value = value(return_str=True)
        given[parameter.name] = value
    return given


def read_file(path: str) -> dict[str, Any]:
    """The values in a file: a JSON object, by parameter.

    Raises:
        BridgeError: it cannot be read, or holds something else.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BridgeError(f"--parameters-file {path} cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise BridgeError(f"--parameters-file {path} must hold a JSON object, values by name.")
    return values

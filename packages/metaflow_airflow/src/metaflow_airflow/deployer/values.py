"""Values of Python's for the parameters of a deployed flow."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from metaflow_airflow.errors import BridgeError
from metaflow_airflow.plan.record import Parameter, Record


def as_given(record: Record, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as a run's configuration has them, files sent to the datastore.

    Args:
        values: by parameter name, or by the name that Python has for it (my_n for my-n).

    Raises:
        BridgeError: a file that cannot be read.
    """
    names = {_python_name(each.name): each for each in record.parameters}
    given = {}
    for word, value in values.items():
        parameter = record.parameter(word) or names.get(_python_name(word))
        convert = _CONVERTERS.get(parameter.kind) if parameter else None
        if parameter and convert and value is not None:
            value = convert(record, parameter, value)
        given[parameter.name if parameter else word] = value
    return given


def send_file(record: Record, parameter: Parameter, path: Any) -> str:
    """Send a file's content to the datastore; what a step finds it by.

    Raises:
        BridgeError: it cannot be read.
    """
    from metaflow.includefile import CURRENT_UPLOADER
    from metaflow.plugins import DATACLIENTS

    if str(path).lstrip('"').startswith("{"):
        return str(path)  # sent already
    source = Path(path).expanduser()
    try:
        with source.open("rb"):
            pass
    except OSError as error:
        raise BridgeError(
            f"Parameter *{parameter.name}*: the file {source} cannot be read: {error.strerror}."
        ) from error
    clients = {each.TYPE: each for each in DATACLIENTS}
    sent = CURRENT_UPLOADER.store(
        record.flow,
        str(source),
        parameter.encoding is not None,
        parameter.encoding or "utf-8",
        clients[record.deployment.datastore],
        lambda *_, **__: None,
    )
    return json.dumps(sent)


def _python_name(name: str) -> str:
    return name.replace("-", "_").lower()


def _json(record: Record, parameter: Parameter, value: Any) -> Any:
    """A text that is a JSON object or list is one; any other is the text that it is."""
    if not isinstance(value, str):
        return value
    try:
        read = json.loads(value)
    except ValueError:
        return value
    return read if isinstance(read, dict | list) else value


def _text(record: Record, parameter: Parameter, value: Any) -> Any:
    """What Metaflow's own Deployer would put on the command line."""
    return value if isinstance(value, str) else str(value)


_CONVERTERS: Mapping[str, Callable[[Record, Parameter, Any], Any]] = {
    "file": send_file,
    "json": _json,
    "string": _text,
}

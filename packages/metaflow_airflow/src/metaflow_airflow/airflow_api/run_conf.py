"""The configuration of a DAG run: the values that were given for a deployment's parameters."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from metaflow_airflow.airflow_api.sayable import unsayable
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.plan.record import Parameter, Record

# What a container's environment holds of a step that runs in a pod, packed, with room for the rest.
_POD_BYTES = 96 * 1024

_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_READERS: Mapping[str, Callable[[str], Any]] = {
    "integer": int,
    "number": float,
    "boolean": lambda text: _BOOLEANS[text.lower()],
    "json": json.loads,
}
_PYTHON: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "file": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def run_conf(record: Record, given: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a run; what is not in it takes the deployed default.

    Args:
        given: values by parameter name, a file's as where its content is; None: not given, but for
            a parameter of type JSON that was deployed with another default.

    Raises:
        BridgeError: an unknown parameter, one that is required, a value of another type, one that
            Airflow takes and no step would get; each by its name.
    """
    nulls = {each.name for each in record.parameters if each.takes_null}
    values = {name: value for name, value in given.items() if value is not None or name in nulls}
    checked_values(record, values)
    missing = [each.name for each in record.parameters if each.required and each.name not in values]
    if missing:
        raise BridgeError(
            f"{record.dag_id} needs a value for {', '.join(missing)}: it was deployed without a "
            "default."
        )
    return values


def checked_values(record: Record, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values, when each is one that its parameter takes.

    Raises:
        BridgeError: see run_conf.
    """
    for name, value in values.items():
        _check(_parameter(record, name), value)
    _check_size(record, values)
    return values


def read_changes(record: Record, changes: Iterable[str]) -> dict[str, Any]:
    """The values that texts of the form NAME=VALUE give to parameters.

    Raises:
        BridgeError: another form, an unknown parameter, or a value of another type.
    """
    values = {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise BridgeError(f"--set {change}: give NAME=VALUE.")
        values[name] = _read(_parameter(record, name), text)
    return values


def _parameter(record: Record, name: str) -> Parameter:
    found = record.parameter(name)
    if found is None:
        known = ", ".join(each.name for each in record.parameters) or "none"
        raise BridgeError(
            f"{record.dag_id} was deployed without a parameter *{name}* (it has: {known}). Call "
            "airflow create, or leave it out."
        )
    return found


def _read(parameter: Parameter, text: str) -> Any:
    read = _READERS.get(parameter.kind)
    try:
        return read(text) if read else text
    except (ValueError, KeyError) as error:
        raise BridgeError(f"Parameter *{parameter.name}*: {_wrong(parameter, text)}") from error


def _check(parameter: Parameter, value: Any) -> None:
    name, kinds = parameter.name, _PYTHON.get(parameter.kind)
    if found := unsayable(value, typed=parameter.kind == "number"):
        part, reason = found
        raise BridgeError(
            f"Parameter *{name}*: {_short(part)} cannot be sent to Airflow: {reason}. Make it the "
            "parameter's default, and leave it out here."
        )
    if kinds and (not isinstance(value, kinds) or isinstance(value, bool) != (kinds == (bool,))):
        raise BridgeError(f"Parameter *{name}*: {_wrong(parameter, value)}")
    if parameter.kind == "file" and not value.lstrip('"').startswith("{"):
        raise BridgeError(
            f"Parameter *{name}*: {_short(value)} is a path, and Airflow's workers do not have "
            "that file. Trigger by flow.py airflow trigger, which sends its content."
        )


def _wrong(parameter: Parameter, value: object) -> str:
    kind = "text" if parameter.kind == "string" else parameter.kind
    return f"{_short(value)} is of the wrong type; {kind} was deployed."


def _check_size(record: Record, values: Mapping[str, Any]) -> None:
    if not record.start_in_pod:
        return
    text = json.dumps(dict(values), ensure_ascii=False).encode()
    packed = len(base64.b64encode(gzip.compress(text)))
    if packed > _POD_BYTES:
        largest = max(values, key=lambda name: len(json.dumps(values[name])))
        raise BridgeError(
            f"The parameters take {len(text):,} bytes ({packed:,} packed), most of them *{largest}*"
            f"; {record.steps[0]} runs in a pod, which takes {_POD_BYTES:,} packed. Make it an "
            "IncludeFile, which travels through the datastore."
        )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

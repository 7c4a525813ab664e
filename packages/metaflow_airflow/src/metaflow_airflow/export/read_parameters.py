"""A flow's parameters as Airflow's trigger form has them, with the values of their defaults."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from metaflow_airflow.airflow_api.sayable import unsayable
from metaflow_airflow.compat.metaflow_export import file_encoding
from metaflow_airflow.compat.metaflow_export import parameters as declared
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.plan.record import Kind, Parameter

_KINDS: Mapping[Any, Kind] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def read_parameters(flow: Any, *, scheduled: bool, send_files: bool = True) -> Iterator[Parameter]:
    """The flow's parameters with their deploy-time defaults, Config values left out.

    Args:
        send_files: whether an IncludeFile's default is sent to the datastore, or stays a path.

    Raises:
        BridgeError: two parameters that differ only in case; one without default in a scheduled
            flow; a default that is not of the parameter's type.
    """
    seen: dict[str, str] = {}
    for _, parameter in declared(flow):
        if parameter.IS_CONFIG_PARAMETER:
            continue
        name = parameter.name
        if name.lower() in seen:
            raise BridgeError(
                f"Parameters *{seen[name.lower()]}* and *{name}* differ only in case. Rename one."
            )
        seen[name.lower()] = name
        read = _read(name, parameter.kwargs, send_files=send_files)
        if read.required and scheduled:
            raise BridgeError(
                f"Parameter *{name}* is required and has no default, but the flow is scheduled: "
                "a run that starts by itself has no value for it. Give it a default."
            )
        yield read


def _read(name: str, options: dict[str, Any], *, send_files: bool) -> Parameter:
    from metaflow.parameters import deploy_time_eval

    kind, encoding = _kind(options["type"])
    default = options.get("default")
    if kind == "file" and default is not None and not send_files:
        default = str(default)
    default = deploy_time_eval(default)
    if kind is None:
        # Of a type that Metaflow hands to click: what it makes of a text, it makes in the step.
        kind, default = "string", None
    elif kind != "file":
        default = _said(_converted(name, options["type"], default))
        if kind == "string" and not isinstance(default, str):
            default = None  # click leaves a number that is the default of a text what it is
    return Parameter(
        name,
        kind,
        default=default,
        required=bool(options.get("required")) and options.get("default") is None,
        description=str(options.get("help") or ""),
        encoding=encoding,
    )


def _kind(kind: Any) -> tuple[Kind | None, str | None]:
    """The parameter's kind, None where JSON has none such; of a file, how its text is encoded."""
    from metaflow.includefile import FilePathClass
    from metaflow.parameters import JSONType

    if isinstance(kind, FilePathClass):
        return "file", file_encoding(kind)
    return "json" if kind is JSONType else _KINDS.get(kind), None


def _converted(name: str, kind: Any, default: Any) -> Any:
    """The default as `run` gives it to the step: click converts it, a function's text too."""
    from metaflow._vendor import click

    if default is None:
        return None
    try:
        return click.types.convert_type(kind)(default)
    except click.ClickException as error:
        raise BridgeError(
            f"Parameter *{name}*: its default {default!r} is not of its type: "
            f"{error.format_message()}."
        ) from error


def _said(default: Any) -> Any:
    """The default as JSON; None where JSON would make another of it, or Airflow cannot say it.

    The step takes the flow's own then: a tuple stays one.
    """
    if unsayable(default) or json.loads(json.dumps(default)) != default:
        return None
    return default

"""The record of a deployment in a DAG file of format 1, which had it in the file's calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from metaflow_airflow.errors import BridgeError
from metaflow_airflow.plan.record import Kind, Parameter, Project, Record
from metaflow_airflow.plan.step import Deployment

_SAID = (
    "script",
    "code",
    "code_sha",
    "datastore",
    "datastore_root",
    "owner",
    "production_token",
    "options",
)


def read_calls(tree: ast.Module) -> Record:
    """The record, from the literal arguments of the calls.

    Raises:
        BridgeError: what it needs is no literal.
    """
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    try:
        flow = next(call for call in calls if _name(call) == "MetaflowFlow")
        dag = next(call for call in calls if _name(call) == "DAG")
        values = _keywords(flow)
        dag_id, name = ast.literal_eval(dag.args[0]), ast.literal_eval(flow.args[0])
        steps = [call for call in calls if _name(call) == "step"]
        return Record(
            dag_id=dag_id,
            flow=name,
            format=values.get("format", 1),
            deployment=Deployment(**_deployment(values)),
            parameters=tuple(_parameters(dag)),
            project=_project(dag_id, name),
            steps=tuple(ast.literal_eval(call.args[0]) for call in steps),
            start_in_pod=any(k.arg == "pod" for call in steps[:1] for k in call.keywords),
            exported_by=values.get("exported_by", ""),
        )
    except (StopIteration, ValueError, TypeError, LookupError) as error:
        raise BridgeError(
            f"The DAG file was exported by an older metaflow-airflow and changed since ({error}). "
            "Export the flow again."
        ) from error


def _deployment(values: dict[str, Any]) -> dict[str, Any]:
    said = {key: value for key, value in values.items() if key in _SAID}
    return {key: tuple(v) if isinstance(v, list) else v for key, v in said.items()}


def _name(call: ast.Call) -> str | None:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return None


def _keywords(call: ast.Call) -> dict[str, Any]:
    """The keywords that are literals; others, such as python=Python(…), say nothing here."""
    said = {}
    for keyword in call.keywords:
        try:
            said[str(keyword.arg)] = ast.literal_eval(keyword.value)
        except ValueError:
            continue
    return said


def _parameters(dag: ast.Call) -> Iterator[Parameter]:
    params = next((k.value for k in dag.keywords if k.arg == "params"), None)
    if not isinstance(params, ast.Dict):
        return
    for key, value in zip(params.keys, params.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(value, ast.Call):
            said = _keywords(value)
            yield Parameter(
                name=str(key.value),
                kind=_kind(said.get("type", "string")),
                default=ast.literal_eval(value.args[0]) if value.args else None,
                required=not value.args,
                description=said.get("description", ""),
            )


def _kind(types: str | list[str]) -> Kind:
    named = [types] if isinstance(types, str) else [each for each in types if each != "null"]
    kinds: dict[str, Kind] = {"integer": "integer", "number": "number", "boolean": "boolean"}
    return kinds.get(named[0], "string") if len(named) == 1 else "json"


def _project(dag_id: str, flow: str) -> Project | None:
    """project.branch.flow: its name stood in the DAG's id and nowhere else."""
    if not dag_id.endswith(f".{flow}"):
        return None
    name, _, branch = dag_id.removesuffix(f".{flow}").partition(".")
    return Project(name, branch, production=branch == "prod" or branch.startswith("prod."))

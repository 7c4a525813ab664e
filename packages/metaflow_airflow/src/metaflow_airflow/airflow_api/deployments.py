"""A deployment as its DAG file tells it: the file in Airflow is the record, there is no other."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from metaflow_airflow.errors import BridgeError


@dataclass(frozen=True)
class DeployedParameter:
    """A parameter of a deployed flow."""

    name: str
    types: tuple[str, ...]
    description: str
    required: bool


@dataclass(frozen=True)
class Deployed:
    """What an exported DAG file says of its flow."""

    dag_id: str
    flow: str
    code_sha: str
    owner: str
    production_token: str
    options: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    parameters: tuple[DeployedParameter, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def option(self, name: str) -> str | None:
        """The value of a top-level option such as --branch; "" for a flag; None if not given."""
        for option in self.options:
            key, _, value = option.partition("=")
            if key == f"--{name}":
                return value
        return None


def read_source(text: str) -> Deployed:
    """Read an exported DAG file without running it.

    Raises:
        BridgeError: the file is none of ours.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise BridgeError(f"The DAG file is not Python: {error}.") from error
    flow = dag = None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "MetaflowFlow":
                flow = node
            elif node.func.id == "DAG":
                dag = node
    if flow is None or dag is None:
        raise BridgeError("The DAG was not exported by metaflow-airflow: it defines no flow.")
    values = _keywords(flow)
    return Deployed(
        dag_id=ast.literal_eval(dag.args[0]),
        flow=ast.literal_eval(flow.args[0]),
        code_sha=values.get("code_sha", ""),
        owner=values.get("owner", ""),
        production_token=values.get("production_token", ""),
        options=tuple(values.get("options", ())),
        environment=values.get("environment", {}),
        steps=tuple(_steps(tree)),
        parameters=tuple(_parameters(dag)),
    )


def _keywords(call: ast.Call) -> dict[str, Any]:
    return {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg}


def _steps(tree: ast.Module) -> list[str]:
    return [
        ast.literal_eval(node.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "step"
    ]


def _parameters(dag: ast.Call) -> list[DeployedParameter]:
    params = next((k.value for k in dag.keywords if k.arg == "params"), None)
    found = []
    if isinstance(params, ast.Dict):
        for key, value in zip(params.keys, params.values, strict=True):
            if key is None or not isinstance(value, ast.Call):
                continue
            settings = _keywords(value)
            types = settings["type"]
            found.append(
                DeployedParameter(
                    name=ast.literal_eval(key),
                    types=(types,) if isinstance(types, str) else tuple(types),
                    description=settings.get("description", ""),
                    required=not value.args,
                )
            )
    return found

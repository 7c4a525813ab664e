"""What the DAG run that resumes another one is configured with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.airflow_api.deployments import Deployed, DeployedParameter, read_source
from metaflow_airflow.airflow_api.runs import FAILED, SUCCEEDED, find_run, runs_of
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.wire.resumption import KEY, Resume

_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_READERS: Mapping[str, Callable[[str], Any]] = {
    "integer": int,
    "number": float,
    "boolean": lambda text: _BOOLEANS[text.lower()],
}


def resume_conf(
    client: AirflowClient,
    dag_id: str,
    origin: str | None,
    step_to_rerun: str | None,
    changes: Iterable[str],
) -> dict[str, Any]:
    """The configuration of a run that takes over from `origin` (None: the DAG's newest run).

    Args:
        changes: NAME=VALUE, of parameters that get another value.

    Raises:
        BridgeError: no such run, step or parameter, or the run has not ended.
    """
    deployed = read_source(client.source(dag_id))
    if step_to_rerun and step_to_rerun not in deployed.steps:
        raise BridgeError(
            f"{dag_id} has no step {step_to_rerun!r} to rerun. Its steps: "
            f"{', '.join(deployed.steps)}."
        )
    changed = dict(_change(deployed, text) for text in changes)
    run = find_run(client, dag_id, origin) if origin else next(runs_of(client, dag_id), None)
    if run is None:
        raise BridgeError(f"{dag_id} has no run yet: there is nothing to resume.")
    if run.status not in (SUCCEEDED, FAILED):
        raise BridgeError(
            f"Run {run.run_id} has not ended yet ({run.status}): wait for its end, or call "
            f"airflow terminate {run.run_id}."
        )
    given = dict(client.run(dag_id, run.dag_run_id).get("conf") or {})
    given.pop(KEY, None)
    resumed = Resume(run.run_id, step_to_rerun, tuple(changed))
    return {**given, **changed, **resumed.to_conf()}


def change_text(name: str, value: Any) -> str:
    """NAME=VALUE for a value of Python's."""
    return f"{name}={value if isinstance(value, str) else json.dumps(value)}"


def _change(deployed: Deployed, text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    parameter = next((each for each in deployed.parameters if each.name == name), None)
    if parameter is None or not equals:
        known = ", ".join(each.name for each in deployed.parameters) or "none"
        raise BridgeError(
            f"--set {text}: give NAME=VALUE of a parameter of {deployed.flow} (it has: {known})."
        )
    return name, _value(parameter, value)


def _value(parameter: DeployedParameter, text: str) -> Any:
    types = [kind for kind in parameter.types if kind != "null"]
    read = _READERS.get(types[0]) if len(types) == 1 else None
    if read is None:
        return text  # a string, or JSON that the flow reads itself
    try:
        return read(text)
    except (ValueError, KeyError) as error:
        raise BridgeError(f"--set {parameter.name}={text}: not of type {types[0]}.") from error

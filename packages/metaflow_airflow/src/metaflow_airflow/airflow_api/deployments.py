"""The deployments in an Airflow: each as the record in its DAG file says, there is no other."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.airflow_api.record_format_1 import read_calls
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.plan.record import Record

_VOCABULARY = "MetaflowFlow"


class NotOursError(BridgeError):
    """The DAG was not exported by metaflow-airflow."""


def find_deployment(client: AirflowClient, dag_id: str) -> Record:
    """The deployment with this DAG id.

    Raises:
        BridgeError: Airflow has no such DAG, or it is none of ours.
    """
    return read_record(client.source(dag_id))


def list_deployments(client: AirflowClient) -> Iterator[Record]:
    """All deployments that can be read; of the others there is a warning."""
    for dag in client.dags(tag="metaflow"):
        dag_id = str(dag["dag_id"])
        try:
            yield find_deployment(client, dag_id)
        except NotOursError:
            continue  # another exporter's DAG with the same tag
        except BridgeError as error:
            # Or it was deleted meanwhile, or is not for this user to read.
            warnings.warn(f"DAG {dag_id} is left out: {error}", stacklevel=2)


def read_record(text: str) -> Record:
    """Read the record in a DAG file without running the file.

    Raises:
        NotOursError: the file is none of ours.
        BridgeError: it is, and cannot be read.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise NotOursError(f"The DAG file is not Python: {error}.") from error
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr="load"),
                args=[ast.Constant(value=str(said)), *_],
            ) if name == _VOCABULARY:
                return Record.from_json(said)
            case ast.Call(func=ast.Name(id=name)) if name == _VOCABULARY:
                return read_calls(tree)
    raise NotOursError("The DAG was not exported by metaflow-airflow: it defines no flow.")

"""The DAG's id and the production token that guards it, by Metaflow's own rules."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from metaflow.exception import MetaflowException

from metaflow_airflow.compat import metaflow as upstream
from metaflow_airflow.compat import metaflow_export
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.plan.record import Project


@dataclass(frozen=True)
class Name:
    """A DAG's id; flows of one @project and branch share the token's prefix."""

    dag_id: str
    token_prefix: str
    is_project: bool


def resolve_name(name: str | None) -> Name:
    """The DAG's id: --name, else the project's name of the flow, else the flow's name.

    A user whose name is an address has a branch that is no DAG id: its other signs become "-".

    Raises:
        MetaflowException: a name that Airflow takes for no DAG id, or --name with @project.
    """
    from metaflow import current
    from metaflow.plugins.airflow.airflow_cli import VALID_NAME, resolve_dag_name

    if name and VALID_NAME.search(name):
        raise MetaflowException(
            f"--name {name!r} is no DAG id: use letters, digits, '_', '-' and '.' only."
        )
    project_flow_name = current.get("project_flow_name")
    if not project_flow_name:
        return Name(*resolve_dag_name(name))
    # What Metaflow calls the flow, in steps too, stays; its own function refuses such a name.
    with metaflow_export.project_flow_name(VALID_NAME.sub("-", project_flow_name)):
        return Name(*resolve_dag_name(name))


def read_project() -> Project | None:
    """What @project made of the flow that runs."""
    from metaflow import current

    name = current.get("project_name")
    if not name:
        return None
    return Project(name, str(current.get("branch_name")), bool(current.get("is_production")))


def resolve_token(
    name: Name, obj: Any, *, authorize: str | None, given: str | None, generate: bool
) -> str:
    """The production token of the deployment; new for a new one, checked for an existing one.

    Raises:
        MetaflowException: somebody else's deployment without its token.
    """
    from metaflow.plugins.airflow import airflow_cli

    try:
        token = airflow_cli.resolve_token(
            name.dag_id, name.token_prefix, obj, authorize, given, generate, name.is_project
        )
    except airflow_cli.IncorrectProductionToken as error:
        raise MetaflowException(
            f"{name.dag_id} was deployed by another user. Get its production token from them and "
            f"call: airflow create --authorize TOKEN. ({error})"
        ) from error
    if given or generate:
        _store_token(name.dag_id, token, obj.flow_datastore)
    return str(token)


def check_token(name: Name, datastore: Any, authorize: str | None) -> None:
    """Let the deployer through, and whoever has the token.

    Raises:
        BridgeError: somebody else's deployment and not its token.
    """
    from metaflow.plugins.airflow.airflow import Airflow
    from metaflow.plugins.aws.step_functions.production_token import load_token, store_token
    from metaflow.util import get_username

    existing = Airflow.get_existing_deployment(name.dag_id, datastore)
    if existing is None:
        return
    owner, token = existing
    given = (authorize or load_token(name.token_prefix) or "").removeprefix("production:")
    if owner != get_username() and given != token:
        raise BridgeError(
            f"{name.dag_id} was deployed by {owner}. Ask them for its production token and call "
            "the command again with --authorize TOKEN."
        )
    store_token(name.token_prefix, token)


def _store_token(dag_id: str, token: str, datastore: Any) -> None:
    """Guard the deployment by a new token; Metaflow's own function never replaces an old one."""
    from metaflow.plugins.airflow.airflow import Airflow
    from metaflow.util import get_username

    record = json.dumps({"owner": get_username(), "production_token": token})
    upstream.save_text(datastore, Airflow.get_token_path(dag_id), record)

"""The production token guards what changes a deployment."""

from __future__ import annotations

from typing import Any

from metaflow._vendor import click

authorize_option = click.option(
    "--authorize",
    default=None,
    help="Production token, when somebody else deployed the flow; needed once.",
)


def check_token(obj: Any, authorize: str | None) -> None:
    """Let the deployer through, and whoever has the token.

    Raises:
        BridgeError: somebody else's deployment and not its token.
    """
    from metaflow.plugins.airflow.airflow import Airflow
    from metaflow.plugins.aws.step_functions.production_token import load_token, store_token
    from metaflow.util import get_username

    from metaflow_airflow.errors import BridgeError

    existing = Airflow.get_existing_deployment(obj.airflow.dag_id, obj.flow_datastore)
    if existing is None:
        return
    owner, token = existing
    given = (authorize or load_token(obj.airflow.token_prefix) or "").removeprefix("production:")
    if owner != get_username() and given != token:
        raise BridgeError(
            f"{obj.airflow.dag_id} was deployed by {owner}. Ask them for its production token and "
            "call the command again with --authorize TOKEN."
        )
    store_token(obj.airflow.token_prefix, token)

"""The production token guards what changes a deployment."""

from __future__ import annotations

from typing import Any

from metaflow._vendor import click

authorize_option = click.option(
    "--authorize",
    default=None,
    help="Production token, when somebody else deployed the flow; needed once.",
)


def require_token(obj: Any, authorize: str | None) -> None:
    """Let the deployer through, and whoever has the token.

    Raises:
        BridgeError: somebody else's deployment and not its token.
    """
    from metaflow_airflow.export import naming

    naming.check_token(obj.airflow, obj.flow_datastore, authorize)

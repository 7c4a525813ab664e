"""Credentials of a step from an Airflow connection: they exist in the step's environment alone."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Connection
from airflow.sdk.log import mask_secret

from metaflow_airflow.compat.airflow import AirflowFailException, AirflowNotFoundException

_TYPE = "aws"


def credentials(conn_id: str) -> dict[str, str]:
    """The variables by which AWS clients sign in, from a connection of type aws.

    Raises:
        AirflowFailException: no such connection, of another type, or without a key.
    """
    try:
        connection = Connection.get(conn_id)
    except AirflowNotFoundException as error:
        raise AirflowFailException(
            f"The flow was exported with --connection {conn_id}, but Airflow has no connection of "
            "that id. Add it (type aws), or export with another one."
        ) from error
    if connection.conn_type != _TYPE:
        raise AirflowFailException(
            f"Connection {conn_id} has type {connection.conn_type}; steps take credentials from "
            f"type {_TYPE}."
        )
    extra: dict[str, Any] = connection.extra_dejson
    if extra.get("role_arn"):
        return _session(conn_id, extra)
    if not connection.login or not connection.password:
        raise AirflowFailException(
            f"Connection {conn_id} has no access key (login) and secret (password), and no "
            "role_arn. Without them a step needs no connection: leave out --connection."
        )
    token = extra.get("aws_session_token")
    return _variables(connection.login, connection.password, token, extra)


def _session(conn_id: str, extra: dict[str, Any]) -> dict[str, str]:
    """What a role gives for a while; the Amazon provider knows how to ask for it."""
    try:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
    except ImportError as error:
        raise AirflowFailException(
            f"Connection {conn_id} names a role: install apache-airflow-providers-amazon where "
            "Airflow's workers run."
        ) from error
    found = AwsGenericHook(aws_conn_id=conn_id).get_credentials()
    return _variables(found.access_key, found.secret_key, found.token, extra)


def _variables(key: str, secret: str, token: str | None, extra: dict[str, Any]) -> dict[str, str]:
    for value in (secret, token):
        if value:
            mask_secret(value)
    endpoint = extra.get("endpoint_url")
    variables = {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        # Empty where the connection has none: the worker's own belongs to another key.
        "AWS_SESSION_TOKEN": token or "",
        "AWS_DEFAULT_REGION": extra.get("region_name"),
        "AWS_ENDPOINT_URL": endpoint,
        "METAFLOW_S3_ENDPOINT_URL": endpoint,
    }
    return {name: value for name, value in variables.items() if value is not None}

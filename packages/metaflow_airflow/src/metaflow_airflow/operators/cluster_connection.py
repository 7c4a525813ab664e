"""The way to a cluster that an Airflow connection describes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

from airflow.sdk import Connection

from metaflow_airflow.compat.airflow import AirflowNotFoundException, load_cluster_client
from metaflow_airflow.pods.cluster import Cluster
from metaflow_airflow.pods.cluster_errors import ConnectError
from metaflow_airflow.pods.sign_in import SignIn

_CONNECTIONS = 2000  # one a followed log


async def connect_cluster(stack: AsyncExitStack, conn_id: str, namespace: str | None) -> Cluster:
    """Sign in with an Airflow connection; without one, as the place itself would.

    Args:
        stack: what closes the connection. namespace: None for the connection's own.

    Raises:
        ConnectError: with what is wrong with the connection.
    """
    try:
        # Both take seconds the first time, in two processes: the imports here, Airflow's answer
        # because the triggerer builds its API for it. The loop must go on meanwhile.
        (hook_of, client), _ = await asyncio.gather(
            asyncio.to_thread(load_cluster_client), _ask_ahead(conn_id)
        )
        configuration = client.Configuration()
        configuration.connection_pool_maxsize = _CONNECTIONS

        async def get_token() -> None:
            # It is loaded into the configuration, which the client that is in use shares.
            async with hook_of(conn_id, configuration).get_conn():
                pass

        first = hook_of(conn_id, configuration)
        extras = await first.get_conn_extras()
        connection = await stack.enter_async_context(first.get_conn())
    except Exception as error:
        why = str(error) or type(error).__name__
        raise ConnectError(f"Airflow connection {conn_id} leads to no cluster: {why}") from error
    namespace = namespace or extras.get("namespace") or "default"
    return Cluster(
        client.CoreV1Api(connection), namespace, str(configuration.host), SignIn(get_token)
    )


async def _ask_ahead(conn_id: str) -> None:
    # Where there is no such connection the hook knows what to do, or says it.
    with suppress(AirflowNotFoundException):
        await Connection.async_get(conn_id)

"""`airflow create`: flow -> code package in the datastore, DAG file for Airflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metaflow._vendor import click


@click.command(help="Export this flow as an Airflow DAG.")
@click.argument("file", required=False)
@click.option(
    "--authorize",
    default=None,
    help="Production token of a deployment that somebody else made; needed once.",
)
@click.option(
    "--generate-new-token",
    is_flag=True,
    help="Move the production flow to a new namespace with a new token.",
)
@click.option(
    "--new-token",
    "given_token",
    default=None,
    help="Move the production flow to the namespace of this token.",
)
@click.option("--tag", "tags", multiple=True, help="Tag all runs of the DAG; repeatable.")
@click.option(
    "--is-paused-upon-creation/--no-is-paused-upon-creation",
    "paused",
    default=None,
    help="Whether a new DAG starts out paused; by default Airflow's own setting.",
)
@click.option(
    "--namespace",
    "user_namespace",
    default=None,
    help="Change the namespace of the runs from the default.",
)
@click.option(
    "--max-workers",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="How many steps of the DAG may run at once.",
)
@click.option(
    "--workflow-timeout",
    type=click.IntRange(min=1),
    default=None,
    help="Seconds that a whole run may take.",
)
@click.option("--worker-pool", default=None, help="Airflow pool that the steps run in.")
@click.pass_obj
def create(
    obj: Any,
    file: str | None,
    authorize: str | None,
    generate_new_token: bool,
    given_token: str | None,
    tags: tuple[str, ...],
    paused: bool | None,
    user_namespace: str | None,
    max_workers: int,
    workflow_timeout: int | None,
    worker_pool: str | None,
) -> None:
    """Export the flow: refuse early, package, then write the file in one move."""
    from metaflow.exception import MetaflowException

    from metaflow_airflow.cli.export import Export
    from metaflow_airflow.errors import BridgeError

    export = Export(
        obj,
        tags=tags,
        namespace=user_namespace,
        max_workers=max_workers,
        timeout=workflow_timeout,
        pool=worker_pool,
        paused=paused,
    )
    try:
        path = export.target(file)
        export.check()
        obj.echo(f"Exporting *{obj.airflow.dag_id}* as an Airflow DAG...", bold=True)
        token = export.token(authorize, given_token, generate_new_token)
        export.write(path, token)
    except BridgeError as error:
        raise MetaflowException(str(error)) from error
    obj.echo(f"DAG *{obj.airflow.dag_id}* written to *{Path(path)}*.", bold=True)

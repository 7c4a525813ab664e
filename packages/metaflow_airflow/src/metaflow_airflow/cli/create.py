"""`airflow create`: flow -> code package in the datastore, DAG file for Airflow."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from metaflow._vendor import click

from metaflow_airflow.cli.spoken import at_least, spoken
from metaflow_airflow.plan.assemble import MAX_ITERATIONS


@click.command(
    help="Export this flow as an Airflow DAG: upload its code to the datastore, write the DAG "
    "file, wait until Airflow has loaded it. FILE is where the DAG file goes (a path, or s3:// of "
    "a DAG bundle); by default <DAG id>.py in METAFLOW_AIRFLOW_DAGS_FOLDER. Exporting again "
    "replaces the DAG; runs that go on keep the code that they started with."
)
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
    default=False,
    show_default=True,
    help="Whether a new DAG starts out paused.",
)
@click.option(
    "--catchup",
    is_flag=True,
    help="Run later what a schedule missed while the DAG was paused; by default the next time "
    "counts.",
)
@click.option(
    "--triggers/--no-triggers",
    default=True,
    show_default=True,
    help="Whether the events of @trigger and @trigger_on_finish start the DAG. Without them it "
    "starts when it is triggered, and by its @schedule.",
)
@click.option(
    "--namespace",
    "user_namespace",
    default=None,
    help="Change the namespace of the runs from the default.",
)
@click.option(
    "--max-workers",
    type=int,
    callback=at_least(1),
    default=100,
    show_default=True,
    help="How many steps of the DAG may run at once.",
)
@click.option(
    "--max-iterations",
    type=int,
    callback=at_least(1),
    default=MAX_ITERATIONS,
    show_default=True,
    help="How many times in a row a step may choose itself by its condition before it fails.",
)
@click.option(
    "--workflow-timeout",
    type=int,
    callback=at_least(1),
    default=None,
    help="Seconds that a whole run may take.",
)
@click.option("--worker-pool", default=None, help="Airflow pool that the steps run in.")
@click.option(
    "--connection",
    default=None,
    metavar="ID",
    help="Airflow connection of type aws whose key the steps get as AWS_* variables; by default "
    "they use what the worker has.",
)
@click.option(
    "--pods-on",
    type=click.Choice(["triggerer", "worker"]),
    default="triggerer",
    show_default=True,
    help="Who waits for steps in pods (@kubernetes): the triggerer for all of them, or a worker "
    "for each, as KubernetesPodOperator has it.",
)
@click.option(
    "--notify-on-error",
    multiple=True,
    metavar="NOTIFIER",
    help="Tell of a run that failed by an Airflow notifier; repeatable. slack, slack_webhook, "
    "smtp, pagerduty or the path of any notifier's class, then its arguments: "
    "smtp:to=ops@example.com.",
)
@click.option(
    "--notify-on-success",
    multiple=True,
    metavar="NOTIFIER",
    help="Tell of a run that succeeded, likewise.",
)
@click.option(
    "--wait",
    type=int,
    callback=at_least(0),
    default=600,
    show_default=True,
    help="Seconds to wait until Airflow has loaded the DAG (where METAFLOW_AIRFLOW_REST_API_URL "
    "says whom to ask, and FILE is not outside of METAFLOW_AIRFLOW_DAGS_FOLDER); 0: do not wait.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the deployment as JSON.")
@click.option("--deployer-attribute-file", default=None, hidden=True)
@click.pass_obj
def create(
    obj: Any,
    file: str | None,
    authorize: str | None,
    generate_new_token: bool,
    given_token: str | None,
    tags: tuple[str, ...],
    paused: bool,
    catchup: bool,
    triggers: bool,
    user_namespace: str | None,
    max_workers: int,
    max_iterations: int,
    workflow_timeout: int | None,
    worker_pool: str | None,
    connection: str | None,
    pods_on: str,
    notify_on_error: tuple[str, ...],
    notify_on_success: tuple[str, ...],
    wait: int,
    as_json: bool,
    deployer_attribute_file: str | None,
) -> None:
    """Export the flow: refuse early, package, then write the file in one move."""
    from metaflow_airflow.export.deploy import TokenOptions, deploy
    from metaflow_airflow.export.exporter import Export

    export = Export(
        obj,
        tags=tags,
        namespace=user_namespace,
        max_workers=max_workers,
        max_iterations=max_iterations,
        timeout=workflow_timeout,
        pool=worker_pool,
        connection=connection,
        pods_on=pods_on,
        notify_on_error=notify_on_error,
        notify_on_success=notify_on_success,
        paused=paused,
        catchup=catchup,
        triggers=triggers,
    )
    with spoken():
        exported = deploy(
            export,
            file,
            token=TokenOptions(authorize, given_token, generate_new_token),
            wait=wait,
            ready=lambda: _write_attributes(obj, deployer_attribute_file),
            tell=lambda line, **how: obj.echo(line, bold=True, **how),
        )
    if as_json:
        obj.echo_always(json.dumps(asdict(exported)), err=False, no_bold=True)


def _write_attributes(obj: Any, path: str | None) -> None:
    """What Metaflow's Deployer reads back; written before the long work."""
    if path:
        Path(path).write_text(
            json.dumps(
                {
                    "name": obj.airflow.dag_id,
                    "flow_name": obj.flow.name,
                    "metadata": obj.metadata.metadata_str(),
                    "additional_info": {},
                }
            )
        )

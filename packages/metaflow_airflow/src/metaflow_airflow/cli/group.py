"""The click group that Metaflow looks for: one command named `airflow`, its verbs below it."""

from __future__ import annotations

from typing import Any

from metaflow._vendor import click

from metaflow_airflow.cli.control import delete, suspend, terminate, unsuspend
from metaflow_airflow.cli.create import create
from metaflow_airflow.cli.explain import explain
from metaflow_airflow.cli.resume import resume
from metaflow_airflow.cli.runs import list_runs, status
from metaflow_airflow.cli.trigger import trigger


@click.group()
def cli() -> None:
    """Metaflow asks for a group that holds exactly one command."""


@cli.group(help="Run this flow on Apache Airflow 3.")
@click.option(
    "--name",
    default=None,
    help="The DAG's id; by default the flow's name (with @project: project.branch.flow).",
)
@click.pass_obj
def airflow(obj: Any, name: str | None = None) -> None:
    """Check the flow, find the name of its DAG."""
    from metaflow_airflow.cli.naming import resolve_name

    obj.check(obj.graph, obj.flow, obj.environment, pylint=obj.pylint)
    obj.airflow = resolve_name(name)


for command in (
    create,
    trigger,
    resume,
    status,
    list_runs,
    terminate,
    suspend,
    unsuspend,
    delete,
    explain,
):
    airflow.add_command(command)

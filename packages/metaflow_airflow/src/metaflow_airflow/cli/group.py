"""The click group that Metaflow looks for: one command named `airflow`, its verbs below it."""

from __future__ import annotations

from typing import Any

from metaflow._vendor import click

from metaflow_airflow.cli.control import delete, suspend, terminate, unsuspend
from metaflow_airflow.cli.create import create
from metaflow_airflow.cli.explain import explain
from metaflow_airflow.cli.list_pods import pods
from metaflow_airflow.cli.list_runs import list_runs, status
from metaflow_airflow.cli.resume import resume
from metaflow_airflow.cli.trigger import trigger


@click.group()
def cli() -> None:
    """Metaflow asks for a group that holds exactly one command."""


HELP = """Run this flow on Apache Airflow 3.

\b
    python flow.py airflow explain              what would run, nothing is exported
    python flow.py airflow create               export; returns when Airflow has the DAG
    python flow.py airflow trigger --alpha 0.1  start a run; prints Metaflow's run id
    python flow.py airflow status RUN_ID        what became of it, also as exit code
    python flow.py airflow resume               run again what failed, copy the rest

Options of the flow itself (--with, --datastore, --environment, --branch, --production) stand
before the word airflow.

Exit codes: 0 done; 1 refused or failed, and the message says why and what to do; 2 wrong usage.
status has more: see there. --json prints one JSON value to standard output and nothing else there.
"""


@cli.group(help=HELP)
@click.option(
    "--name",
    default=None,
    help="The DAG's id; by default the flow's name (with @project: project.branch.flow).",
)
@click.pass_obj
def airflow(obj: Any, name: str | None = None) -> None:
    """Check the flow, find the name of its DAG."""
    from metaflow_airflow.export.naming import resolve_name

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
    pods,
):
    airflow.add_command(command)

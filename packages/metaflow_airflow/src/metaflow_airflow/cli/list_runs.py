"""`airflow status` and `airflow list-runs`: what became of the runs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from itertools import islice
from typing import Any

from metaflow._vendor import click

from metaflow_airflow.cli.spoken import at_least, spoken

EXIT_CODES = {"SUCCEEDED": 0, "FAILED": 3, "PENDING": 4, "RUNNING": 4}


@click.command(
    help="What became of a run. Exit code 0: succeeded, 3: failed, 4: pending or running, "
    "1: no such run or Airflow cannot be asked."
)
@click.argument("run-id")
@click.option("--json", "as_json", is_flag=True, help="Print the run as JSON.")
@click.pass_obj
def status(obj: Any, run_id: str, as_json: bool) -> None:
    """Print one run's status; the exit code says it too."""
    from metaflow_airflow.airflow_api.client import AirflowClient
    from metaflow_airflow.airflow_api.runs import find_run

    with spoken():
        run = find_run(AirflowClient.from_settings(), obj.airflow.dag_id, run_id)
    text = json.dumps(asdict(run)) if as_json else f"{run.run_id} {run.status}"
    obj.echo_always(text, err=False, no_bold=True)
    sys.exit(EXIT_CODES[run.status])


@click.command(name="list-runs", help="The runs of the deployed flow, newest first.")
@click.option("--limit", type=int, callback=at_least(1), default=20, show_default=True)
@click.option(
    "--state",
    type=click.Choice(["pending", "running", "succeeded", "failed"]),
    default=None,
    help="Only runs in this state.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the runs as JSON.")
@click.pass_obj
def list_runs(obj: Any, limit: int, state: str | None, as_json: bool) -> None:
    """Print a line a run: Metaflow's id, status, version, when it was made, Airflow's id."""
    from metaflow_airflow.airflow_api.client import AirflowClient
    from metaflow_airflow.airflow_api.runs import runs_of

    with spoken():
        runs = runs_of(AirflowClient.from_settings(), obj.airflow.dag_id)
        wanted = (run for run in runs if state is None or run.status == state.upper())
        found = list(islice(wanted, limit))
    if as_json:
        obj.echo_always(json.dumps([asdict(run) for run in found]), err=False, no_bold=True)
    elif not found:
        obj.echo(f"*{obj.airflow.dag_id}* has no such runs.")
    for run in () if as_json else found:
        parts = f"{run.status:<9}", f"{run.version or '':<16}", f"{run.created or '':<32}"
        line = "  ".join((run.run_id, *parts, run.dag_run_id))
        obj.echo_always(line, err=False, no_bold=True)

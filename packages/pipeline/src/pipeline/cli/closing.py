"""What a command says at its end: addresses, logins, what to open next."""

from __future__ import annotations

from urllib.parse import quote

from rich.console import Console

from pipeline.cli.targets import own_command
from pipeline.flows import FLOWS
from pipeline.outcome import Outcome
from pipeline.targets.base import Target

# The bridge's tabs in Airflow's own pages (metaflow_airflow.pages.plugin).
_RUN_TAB, _TASK_TAB = "plugin/metaflow-run", "plugin/metaflow-task"


def show_addresses(target: Target, console: Console) -> None:
    """Print where Airflow and the object store are, and who signs in; the password is not here."""
    username, _ = target.airflow_login
    login = f"{own_command(target)} login{_to(target)}"
    console.print(f"Airflow   {target.airflow_url}   user {username}, password: {login}")
    if url := target.environment().get("AWS_ENDPOINT_URL"):
        console.print(f"S3        {url}")
    console.print(target.keeps)


def show_what_next(target: Target, console: Console, outcome: Outcome, *, kept: bool) -> None:
    """Print the pages of each flow's run and card in Airflow; `kept` when the servers go on."""
    console.print()
    if not kept:
        up = target.up_command(own_command(target))
        console.print(f"The stack is stopped; its state is kept. To look at it: {up}")
    show_addresses(target, console)
    for flow, part in zip(FLOWS, ("train", "predict"), strict=True):
        run = quote(outcome.runs[flow.dag_id].run_id, safe=":")
        page = f"{target.airflow_url}/dags/{quote(flow.dag_id)}/runs/{run}"
        _, _, step, _ = outcome.report[part]["card"].split("/")
        console.print(f"{part:10}{page}/{_RUN_TAB}", markup=False)
        console.print(f"{'  card':10}{page}/tasks/{step}/{_TASK_TAB}", markup=False)


def _to(target: Target) -> str:
    return "" if target.name == "embedded" else f" --target {target.name}"

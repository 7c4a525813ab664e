"""What a command says at its end: addresses, logins, what to open next."""

from __future__ import annotations

import os

from rich.console import Console

from pipeline.cli.targets import own_command
from pipeline.flows import FLOWS
from pipeline.outcome import Outcome
from pipeline.targets.base import Target


def show_addresses(target: Target, console: Console) -> None:
    """Print where Airflow and the object store are, and who signs in; the password is not here."""
    username, _ = target.airflow_login
    login = f"{own_command(target)} login{_to(target)}"
    console.print(f"Airflow   {target.airflow_url}   user {username}, password: {login}")
    if url := target.environment().get("AWS_ENDPOINT_URL"):
        console.print(f"S3        {url}")
    console.print(target.keeps)


def show_what_next(target: Target, console: Console, outcome: Outcome, *, kept: bool) -> None:
    """Print the run, card and log of each flow; `kept` when the servers go on."""
    console.print()
    if not kept:
        up = target.up_command(own_command(target))
        console.print(f"The stack is stopped; its state is kept. To look at it: {up}")
    show_addresses(target, console)
    command = f"{own_command(target)} exec{_to(target)}"
    for flow, part in zip(FLOWS, ("train", "predict"), strict=True):
        file = os.path.relpath(target.flows_folder / flow.dag_file)
        flow_command = f"{command} -- python {file}"
        _, run, step, task = outcome.report[part]["card"].split("/")
        card = f"{run}/{step}/{task}"
        page = f"dags/{flow.dag_id}/runs/{outcome.runs[flow.dag_id].run_id}"
        console.print(f"{part}")
        console.print(f"  run   {target.airflow_url}/{page}")
        console.print(f"  card  {flow_command} card view {card}")
        console.print(f"        (without a browser here: card get {card} {part}.html)")
        console.print(f"  log   {flow_command} logs {card}")


def _to(target: Target) -> str:
    return "" if target.name == "embedded" else f" --target {target.name}"

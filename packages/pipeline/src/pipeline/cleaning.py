"""Removes what nobody needs any more: `stack clean`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from botocore.exceptions import BotoCoreError, ClientError
from embedded.errors import StackError
from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.bundle.unused import find_unused, remove

from pipeline.targets.base import Target

_HOUR = 3600.0
Say = Callable[[str], None]


def clean(
    target: Target,
    *,
    days: float,
    keep_features: int | None,
    keep_predictions: int | None,
    dry_run: bool,
    say: Say,
) -> None:
    """Remove, or only name, what is older than some days.

    First what Airflow recorded, so that versions of the runs that are gone are unused.
    `keep_features` and `keep_predictions` are how many versions of each month stay; None: all.

    Raises StackError when a part fails; the parts before it are done.
    """
    _clean_airflow(target, days, dry_run, say)
    _clean_bundles(target, dry_run, say)
    # Predictions first: features that they name stay.
    dry = ["--dry-run"] if dry_run else []
    if keep_predictions is not None:
        command = [str(target.flows_python), "-m", "ml_flows.prune", f"--keep={keep_predictions}"]
        _prune("predictions", [*command, *dry], target.environment(), say)
    if keep_features is not None:
        command = [sys.executable, "-m", "data_engineering", "prune", f"--keep={keep_features}"]
        _prune("features", [*command, *dry], target.data_environment(), say)


def _clean_airflow(target: Target, days: float, dry_run: bool, say: Say) -> None:
    done = target.clean_airflow([f"--days={days:g}", *(["--dry-run"] if dry_run else [])])
    if done is None:
        say("Airflow: run `airflow db clean` and remove old logs where it runs")
        return
    for line in done.stdout.splitlines():
        say(line)
    if done.returncode != 0:
        raise StackError(f"Airflow could not be cleaned:\n{done.stderr[-2000:] or done.stdout}")


def _clean_bundles(target: Target, dry_run: bool, say: Say) -> None:
    client = AirflowClient(target.airflow_url, *target.airflow_login)
    # What new runs get is asked for after the runs: one that begins meanwhile gets one of these.
    used = {run["bundle_version"] for run in client.runs("~")}
    used |= {dag["bundle_version"] for dag in client.dags()}
    would = "would be removed" if dry_run else "removed"
    for versions in target.bundles:
        try:
            unused = find_unused(versions, used, time.time() - _HOUR)
            if not dry_run:
                remove(versions, unused)
        except (BotoCoreError, ClientError, OSError) as error:
            raise StackError(f"{versions.objects} cannot be cleaned: {error}") from error
        say(
            f"{versions.objects}: {len(unused.versions)} versions without runs and "
            f"{len(unused.files)} files {would}, {unused.kept} versions stay"
        )


def _prune(what: str, command: Sequence[str], environment: Mapping[str, str], say: Say) -> None:
    try:
        done = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, check=False,
            timeout=_HOUR,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise StackError(f"{what} were not pruned within {_HOUR:.0f} s") from error
    for line in done.stdout.splitlines():
        say(f"{what}: {line}")
    if done.returncode != 0:
        raise StackError(f"{what} could not be pruned:\n{done.stderr[-2000:]}")

"""The tasks of the data engineering team's DAGs. They wire, no more.

What a task does stands in `data_engineering.steps`, imported when the task runs: parsing a DAG
file loads no Polars.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from airflow.sdk import (
    Asset,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    TriggerRule,
    get_current_context,
    task,
    task_group,
)

from data_engineering.contract import months as contract
from data_engineering.errors import BadInputError

log = logging.getLogger(__name__)

ROOT = contract.data_root()

CAB = Param(
    "green", type="string", enum=list(contract.CABS), title="Cab", description="Whose trips."
)
SOURCE = Param(
    "",
    type=["string", "null"],
    title="Source",
    description="Empty or tlc: TLC's site. generator: made-up trips, below made-up/. Or a "
    "file, a folder or an http(s):// or s3:// URL that holds TLC's files, as the worker sees "
    "it; $TRIP_DATA_SOURCES of the workers says which are allowed.",
)
ROWS = Param(
    60_000, type="integer", minimum=1, title="Rows", description="Generator: rows a month."
)
SEED = Param(
    0, type="integer", minimum=0, title="Seed", description="Generator: same seed, same trips."
)

FEATURES = Asset(name="trip_features", uri=f"{ROOT}/features", group="trips")
"""Each month that is published is a partition of it, such as green/2024-01."""

# Another try helps where a server was away, not where the input is bad.
UNLESS_INPUT_IS_BAD = ExceptionRetryPolicy(
    rules=[RetryRule(BadInputError, action=RetryAction.FAIL, reason="the same try would fail")]
)
MONTHS_AT_ONCE = 4
"""How many months are fetched at the same time."""


DEFAULTS: dict[str, Any] = {
    "owner": "data-engineering",
    "retries": 5,
    "retry_delay": timedelta(seconds=10),
    "retry_policy": UNLESS_INPUT_IS_BAD,
}
"""Arguments of every task."""


def planned(params: dict[str, Any], months: list[str]) -> list[dict[str, Any]]:
    """Decide where each month comes from, after a look whether S3 takes our credentials."""
    from data_engineering import steps

    origins = steps.plan(
        _storage(params["source"]),
        params["cab"],
        months,
        params["source"] or "",
        rows=params["rows"],
        seed=params["seed"],
        places=_places(),
    )
    return [asdict(origin) for origin in origins]


@task(map_index_template="{{ month }}", max_active_tis_per_dagrun=MONTHS_AT_ONCE)
def fetch(origin: dict[str, Any]) -> dict[str, Any]:
    """Look at a month's file and bring it to the bucket, as it came."""
    from data_engineering import steps
    from data_engineering.sources.origin import Origin

    _name_after(origin["month"])
    made = Origin(**origin)
    return asdict(steps.fetch(_storage(made.kind), made, _places()))


# One month after the other, in the order of months: its history is made of those before it.
@task(
    map_index_template="{{ month }}",
    outlets=[FEATURES],
    trigger_rule=TriggerRule.ALL_DONE,
    max_active_tis_per_dagrun=1,
)
def publish(origin: dict[str, Any], ti: Any = None, outlet_events: Any = None) -> dict[str, Any]:
    """Build a month's features straight into S3, and show them to readers if they are plausible."""
    from data_engineering import steps

    month = origin["month"]
    _name_after(month)
    landed = ti.xcom_pull(task_ids="month.fetch", map_indexes=ti.map_index)
    if landed is None:
        raise BadInputError(f"the file of {month} did not arrive: see month.fetch[{ti.map_index}]")
    root = contract.root_for(origin["kind"], ROOT)
    published = steps.publish_month(_storage(origin["kind"]), steps.Landed.of(landed))
    for line in steps.summary_lines(published):
        log.info(line)
    content = steps.refuse_held(published, root)
    shown = ("cab", "month", "version", "uri", "rows", "source", "made_up")
    made_up = f"{contract.MADE_UP}/" if content["made_up"] else ""
    outlet_events[FEATURES].add_partitions(f"{made_up}{content['cab']}/{month}")
    outlet_events[FEATURES].extra = {
        **{name: content[name] for name in shown},
        "schema_version": content["schema"]["version"],
        "sha256": content["files"]["features"]["sha256"],
        "manifest": f"{content['uri'].rpartition('/')[0]}/dataset.json",
        "features_root": f"{root}/features",
    }
    return {name: content[name] for name in (*shown, "rows_read", "set_aside")}


@task_group(group_id="month")
def each_month(origins: Any) -> None:
    """Fetch months side by side, publish them one by one; a month that fails stops no other."""
    fetch.expand(origin=origins) >> publish.expand(origin=origins)


def _storage(source: str | None) -> Any:
    from data_engineering.storage.objects import Storage

    return Storage(contract.root_for(source, ROOT))


def _places() -> list[str]:
    """Return where trips may be read from: the bucket of the datasets is the team's own."""
    from data_engineering.sources.allowed import allowed_places

    return [*allowed_places(), ROOT]


def _name_after(month: str) -> None:
    """Show the mapped task by its month in Airflow's pages instead of by a number."""
    context: Any = get_current_context()
    context["month"] = month

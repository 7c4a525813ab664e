"""The data engineering team's DAG: trips of a month in, features in S3 out. It wires, no more.

What a task does stands in `data_engineering.steps`, imported when the task runs: parsing this
file loads no Polars.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import (
    Asset,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    TriggerRule,
    dag,
    get_current_context,
    task,
    task_group,
)
from airflow.sdk.exceptions import AirflowSkipException
from data_engineering.contract import months as contract
from data_engineering.errors import BadInputError

log = logging.getLogger(__name__)

ROOT = contract.data_root()

DOC = f"""
Fetches months of TLC taxi trips, sets aside the rows that are no usable trips, builds features and
publishes them as `{ROOT}/features/<cab>/<month>/`; readers start from `current.json` there.
With `run_flows` it then trains the model on the months before and predicts the month.

- **A task failed at once:** its input or the S3 server's settings are wrong; the error in its log
  names the file, column, URL or bucket. Readers still see the version before.
- **A month is held back:** it is not plausible; the log says why, and the command that publishes
  it anyway.
- **A task is up for retry:** a server did not answer.
- **Made-up trips** are made only for the source `generator`, below `{ROOT}/{contract.MADE_UP}/`.
- A source other than TLC's site must be in `$TRIP_DATA_SOURCES` of the workers.

Without Airflow: `python -m data_engineering --cab green --month 2024-01`.
"""

_MONTH: dict[str, Any] = {"type": "string", "pattern": contract.MONTH}

PARAMS = {
    "cab": Param(
        "green", type="string", enum=list(contract.CABS), title="Cab", description="Whose trips."
    ),
    "month": Param(
        "2024-01", **_MONTH, title="Month", description="YYYY-MM: the month to predict."
    ),
    "train_months": Param(
        None,
        type=["array", "null"],
        items=_MONTH,
        title="Train months",
        description="YYYY-MM, one a line: the months to train on. None: the month before.",
    ),
    "source": Param(
        "",
        type=["string", "null"],
        title="Source",
        description="Empty or tlc: TLC's site. generator: made-up trips, below made-up/. Or a "
        "file, a folder or an http(s):// or s3:// URL that holds TLC's files, as the worker sees "
        "it; $TRIP_DATA_SOURCES of the workers says which are allowed.",
    ),
    "rows": Param(
        60_000, type="integer", minimum=1, title="Rows", description="Generator: rows a month."
    ),
    "seed": Param(
        0, type="integer", minimum=0, title="Seed", description="Generator: same seed, same trips."
    ),
    "run_flows": Param(
        False,
        type="boolean",
        title="Run the flows",
        description="Train and then predict when the features are published.",
    ),
    "train_dag_id": Param(
        "trip_duration.prod.TrainTripDurationFlow",
        type="string",
        minLength=1,
        title="Training DAG",
        description="The exported flow that trains.",
    ),
    "predict_dag_id": Param(
        "trip_duration.prod.PredictTripDurationFlow",
        type="string",
        minLength=1,
        title="Prediction DAG",
        description="The exported flow that predicts.",
    ),
}

_ROOT_OF_RUN = "{{ root_for(params.source, '%s') }}" % ROOT  # noqa: UP031

# By name alone: to check an s3:// URI Airflow loads boto3, in every parse and every task.
FEATURES = Asset(name="trip_features", group="trips")

# Another try helps where a server was away, not where the input is bad.
UNLESS_INPUT_IS_BAD = ExceptionRetryPolicy(
    rules=[RetryRule(BadInputError, action=RetryAction.FAIL, reason="the same try would fail")]
)
# A try whose worker died is repeated; a flow that failed is not run once more.
ONLY_IF_CUT_OFF = ExceptionRetryPolicy(rules=[], default=RetryAction.FAIL)


MONTHS_AT_ONCE = 4
"""How many months are fetched at the same time."""


@task
def months(params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Decide where each month comes from, after a look whether S3 takes our credentials."""
    from data_engineering import steps

    asked = params or {}
    storage = _storage(asked["source"])
    origins = steps.plan(
        storage,
        asked["cab"],
        [*contract.train_months(asked["month"], asked["train_months"]), asked["month"]],
        asked["source"] or "",
        rows=asked["rows"],
        seed=asked["seed"],
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
    outlet_events[FEATURES].extra = {name: content[name] for name in shown}
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


def flow(task_id: str, dag_id: str, conf: dict[str, str]) -> TriggerDagRunOperator:
    """Return the task that runs an exported flow and waits for its end without a worker."""
    return TriggerDagRunOperator(
        task_id=task_id,
        trigger_dag_id=dag_id,
        # One run a data run: a retry starts that one again instead of another beside it.
        trigger_run_id="data_engineering__{{ run_id }}",
        reset_dag_run=True,
        conf=conf,
        wait_for_completion=True,
        deferrable=True,
        poke_interval=1,
        # Runs of a paused DAG never begin: fail instead of waiting for ever.
        fail_when_dag_is_paused=True,
        # A task of its own for this would cost a worker's start.
        pre_execute=_skip_unless_asked_for,
        retry_policy=ONLY_IF_CUT_OFF,
    )


def _skip_unless_asked_for(context: Any) -> None:
    if not context["params"]["run_flows"]:
        raise AirflowSkipException("run_flows is off")


def _name_after(month: str) -> None:
    """Show the mapped task by its month in Airflow's pages instead of by a number."""
    context: Any = get_current_context()
    context["month"] = month


@dag(
    dag_id="data_engineering_dag",
    description="NYC taxi trips to features in S3; then, if asked, the ML team's flows",
    schedule=None,
    catchup=False,
    params=PARAMS,
    doc_md=DOC,
    tags=["data-engineering"],
    default_args={
        "owner": "data-engineering",
        "retries": 5,
        "retry_delay": timedelta(seconds=10),
        "retry_policy": UNLESS_INPUT_IS_BAD,
    },
    user_defined_macros={"train_months": contract.train_months, "root_for": contract.root_for},
)
def data_engineering() -> None:
    """Wire the tasks."""
    train = flow(
        "train",
        "{{ params.train_dag_id }}",
        {
            "cab": "{{ params.cab }}",
            "train_months": "{{ train_months(params.month, params.train_months) | join(',') }}",
            "test_month": "{{ params.month }}",
            "features_root": _ROOT_OF_RUN + "/features",
        },
    )
    predict = flow(
        "predict",
        "{{ params.predict_dag_id }}",
        {
            "cab": "{{ params.cab }}",
            "month": "{{ params.month }}",
            "features_root": _ROOT_OF_RUN + "/features",
            "predictions_root": _ROOT_OF_RUN + "/predictions",
        },
    )
    each_month(months()) >> train >> predict


data_engineering()

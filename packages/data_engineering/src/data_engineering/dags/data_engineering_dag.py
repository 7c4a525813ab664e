"""The data engineering team's DAG: trips of a month in, features in S3 out. It wires, no more.

What a task does stands in `data_engineering.steps`, imported when the task runs: parsing this
file loads neither Polars nor boto3.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Asset, Param, dag, task
from airflow.sdk.exceptions import AirflowFailException
from data_engineering import contract
from data_engineering.errors import BadInputError

log = logging.getLogger(__name__)

DOC = """
Fetches months of TLC taxi trips, sets aside the rows that are no usable trips, builds features and
publishes them as `s3://trip-data/features/<cab>/<month>/`; readers start from `current.json` there.
With `run_flows` it then trains the model on the months before and predicts the month.

- **A task failed at once:** its input or the S3 server's settings are wrong; the last line of its
  log names the file, column, URL or bucket. Nothing was published.
- **A task is up for retry:** a server did not answer.
- **GENERATED trips:** TLC's site could not be reached from here, and no source was named.

Without Airflow: `python -m data_engineering --cab green --month 2024-01`.
"""

_MONTH: dict[str, Any] = {"type": "string", "pattern": contract.MONTH}

PARAMS = {
    "cab": Param("green", enum=list(contract.CABS), title="Cab", description="Whose trips."),
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
        description="Empty or tlc: TLC's site (the generator where it cannot be reached). "
        "generator: made-up trips. Or a file, a folder or an http(s):// or s3:// URL that holds "
        "TLC's Parquet files, as the worker sees it.",
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

FEATURES = Asset(name="trip_features", uri="s3://trip-data/features", group="trips")


@contextmanager
def bad_input_is_final() -> Iterator[None]:
    """Fail the task without retries where another try would fail again."""
    try:
        yield
    except BadInputError as error:
        raise AirflowFailException(str(error)) from error


@task
def months(params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Decide where each month comes from, after a look whether S3 takes our credentials."""
    from data_engineering import steps
    from data_engineering.storage import default_root, open_storage

    asked = params or {}
    with bad_input_is_final():
        wanted = [*contract.train_months(asked["month"], asked["train_months"]), asked["month"]]
        origins = steps.plan(
            open_storage(default_root()),
            asked["cab"],
            wanted,
            asked["source"] or "",
            rows=asked["rows"],
            seed=asked["seed"],
        )
    return [asdict(origin) for origin in origins]


@task(map_index_template="{{ month }}")
def fetch(origin: dict[str, Any]) -> dict[str, Any]:
    """Bring a month's file to the bucket, as it came."""
    from data_engineering import steps
    from data_engineering.sources import Origin
    from data_engineering.storage import default_root, open_storage

    _show_month(origin["month"])
    with bad_input_is_final():
        return asdict(steps.fetch(open_storage(default_root()), Origin(**origin)))


@task(map_index_template="{{ month }}")
def validate(landed: dict[str, Any]) -> dict[str, Any]:
    """Check a month's columns, and count its rows by why they are set aside."""
    from data_engineering import steps
    from data_engineering.storage import default_root, open_storage

    _show_month(landed["month"])
    with bad_input_is_final():
        validated = steps.validate(open_storage(default_root()), steps.Landed.of(landed))
    for line in steps.summary_lines(validated):
        log.info(line)
    return asdict(validated)


@task(map_index_template="{{ month }}", outlets=[FEATURES])
def publish(validated: dict[str, Any], outlet_events: Any = None) -> dict[str, Any]:
    """Build a month's features straight into S3, and show them to readers."""
    from data_engineering import steps
    from data_engineering.storage import default_root, open_storage

    _show_month(validated["landed"]["month"])
    with bad_input_is_final():
        published = steps.publish_features(
            open_storage(default_root()), steps.Validated.of(validated)
        )
    shown = ("cab", "month", "version", "uri", "rows", "source")
    outlet_events[FEATURES].extra = {name: published[name] for name in shown}
    return published


@task.short_circuit
def run_flows(params: dict[str, Any] | None = None) -> bool:
    """Let training and prediction run only where the parameter asks for them."""
    return bool((params or {})["run_flows"])


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
        poke_interval=2,
        fail_when_dag_is_paused=True,
        retries=1,
    )


def _show_month(month: str) -> None:
    """Name the mapped task in Airflow's lists after its month instead of a number."""
    from airflow.sdk import get_current_context

    context: dict[str, Any] = get_current_context()  # type: ignore[assignment]
    context["month"] = month


@dag(
    dag_id="data_engineering_dag",
    schedule=None,
    catchup=False,
    params=PARAMS,
    doc_md=DOC,
    tags=["data-engineering"],
    default_args={
        "owner": "data-engineering",
        "retries": 2,
        "retry_delay": timedelta(seconds=5),
    },
    user_defined_macros={"train_months": contract.train_months},
)
def data_engineering() -> None:
    """Wire the tasks."""
    published = publish.expand(validated=validate.expand(landed=fetch.expand(origin=months())))
    train = flow(
        "train",
        "{{ params.train_dag_id }}",
        {
            "cab": "{{ params.cab }}",
            "train_months": "{{ train_months(params.month, params.train_months) | join(',') }}",
            "test_month": "{{ params.month }}",
        },
    )
    predict = flow(
        "predict",
        "{{ params.predict_dag_id }}",
        {"cab": "{{ params.cab }}", "month": "{{ params.month }}"},
    )
    [published, run_flows()] >> train >> predict


data_engineering()

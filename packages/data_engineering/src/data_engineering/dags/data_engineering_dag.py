"""The data engineering team's DAG: trips of a month in, features in S3 out. It wires, no more."""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import ExceptionRetryPolicy, Param, RetryAction, dag, task
from airflow.sdk.exceptions import AirflowSkipException
from data_engineering.contract import months as contract
from data_engineering.released import released
from data_engineering.tasks import CAB, DEFAULTS, ROOT, ROWS, SEED, SOURCE, each_month, planned

DOC = f"""
Fetches months of TLC taxi trips, sets aside the rows that are no usable trips, builds features and
publishes them as `{ROOT}/features/<cab>/<month>/`; readers start from `current.json` there.
Each month that it publishes is an event of that asset, and starts whatever waits for it.
With `run_flows` it starts the ML team's flows itself, one after the other: for flows that no event
starts (exported with `--no-triggers`), as others would run twice.

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
    "cab": CAB,
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
    "source": SOURCE,
    "rows": ROWS,
    "seed": SEED,
    "run_flows": Param(
        False,
        type="boolean",
        title="Run the flows",
        description="Train and then predict when the features are published, instead of by events.",
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

# A try whose worker died is repeated; a flow that failed is not run once more.
ONLY_IF_CUT_OFF = ExceptionRetryPolicy(rules=[], default=RetryAction.FAIL)


@task
def months(params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Decide where each month comes from, after a look whether S3 takes our credentials."""
    asked = params or {}
    before = contract.train_months(asked["month"], asked["train_months"])
    return planned(asked, [*before, asked["month"]])


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


@dag(
    dag_id="data_engineering_dag",
    description="NYC taxi trips to features in S3",
    schedule=None,
    catchup=False,
    params=PARAMS,
    doc_md=f"{DOC}\nFrom {released()}.",
    tags=["data-engineering", released()],
    default_args=DEFAULTS,
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

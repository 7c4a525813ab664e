"""The data engineering team's backfill: a span of months, one command. It wires, no more."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, dag, task
from data_engineering.contract.months import months_in
from data_engineering.released import released
from data_engineering.tasks import CAB, DEFAULTS, ROWS, SEED, SOURCE, each_month, planned

DOC = """
Publishes a span of months as `data_engineering_dag` publishes one:

    airflow dags trigger data_engineering_backfill --conf '{"months": "2019-01..2025-12"}'

Months are fetched side by side, a few at once, and published in their order. A month that fails
stops no other. Run it again to go on: a file that has not changed is neither fetched nor published.
"""


@task
def months(params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Decide where each month of the span comes from."""
    asked = params or {}
    return planned(asked, months_in(asked["months"]))


@dag(
    dag_id="data_engineering_backfill",
    description="A span of months of NYC taxi trips to features in S3",
    schedule=None,
    catchup=False,
    params={
        "months": Param(
            "2024-01..2024-03",
            type="string",
            pattern=r"^20\d\d-\d\d(\.\.20\d\d-\d\d)?$",
            title="Months",
            description="YYYY-MM..YYYY-MM, both included.",
        ),
        "cab": CAB,
        "source": SOURCE,
        "rows": ROWS,
        "seed": SEED,
    },
    doc_md=f"{DOC}\nFrom {released()}.",
    tags=["data-engineering", released()],
    default_args=DEFAULTS,
)
def data_engineering_backfill() -> None:
    """Wire the tasks."""
    each_month(months())


data_engineering_backfill()

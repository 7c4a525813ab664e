"""The Airflow run that a step is part of: `current.airflow`, empty where none is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

_PREFIX = "METAFLOW_AIRFLOW_"


@dataclass(frozen=True)
class AirflowRun:
    """A DAG run; false where no Airflow runs the step.

    Args:
        dag_id, run_id: Airflow's ids.
        logical_date, data_interval_start, data_interval_end: of a scheduled run, with a time zone.
            None where the run has none: one that an event started has no logical date.
        partition_key: of the data that the run is for, such as "green/2024-01".
        try_number: of the step's task, from 1; with `current.pathspec` it never comes twice.
    """

    dag_id: str | None = None
    run_id: str | None = None
    logical_date: datetime | None = None
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    partition_key: str | None = None
    try_number: int | None = None

    def __bool__(self) -> bool:
        return self.run_id is not None

    @classmethod
    def from_variables(cls, environ: Mapping[str, str]) -> AirflowRun:
        """The run that the variables of a step tell of."""

        def time(name: str) -> datetime | None:
            said = environ.get(_PREFIX + name)
            return datetime.fromisoformat(said) if said else None

        number = environ.get(f"{_PREFIX}TRY_NUMBER")
        return cls(
            dag_id=environ.get(f"{_PREFIX}DAG_ID"),
            run_id=environ.get(f"{_PREFIX}DAG_RUN_ID"),
            logical_date=time("LOGICAL_DATE"),
            data_interval_start=time("DATA_INTERVAL_START"),
            data_interval_end=time("DATA_INTERVAL_END"),
            partition_key=environ.get(f"{_PREFIX}PARTITION_KEY"),
            try_number=int(number) if number else None,
        )

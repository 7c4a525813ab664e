"""What Airflow must know of the bridge before it reads a DAG (entry point `airflow.plugins`)."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from metaflow_airflow.operators.next_tick import NextTickTimetable
from metaflow_airflow.operators.on_events import OnEvents


class MetaflowSchedules(AirflowPlugin):
    """Airflow's scheduler makes no timetable that no plugin has named."""

    name = "metaflow_schedules"
    timetables = [NextTickTimetable, OnEvents]  # noqa: RUF012 - so Airflow declares it

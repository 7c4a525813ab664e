"""The task that hands the events of a run to steps whose pods the triggerer runs."""

from __future__ import annotations

from airflow.sdk import BaseOperator, Context

from metaflow_airflow.attempt.run_events import XCOM_KEY
from metaflow_airflow.compat.airflow import push_xcom
from metaflow_airflow.operators.fetch import events_of_run


class MetaflowEventsOperator(BaseOperator):
    """Leaves what started the run as its XCom: Airflow tells a worker, and no triggerer."""

    ui_color = "#f0f0f5"

    def execute(self, context: Context) -> None:
        """Push the events."""
        events = events_of_run(context)
        push_xcom(context, XCOM_KEY, [event.to_xcom() for event in events])
        for event in events:
            self.log.info("Started by %s, published %s", event.name, event.time)

"""Airflow's asset manager, for flows that events start: an event, a run.

For the setting [core] asset_manager_class. Airflow's own one puts a DAG that waits for an asset
into a queue of one place: events that come before the scheduler looks share a run, or wait for the
next event. DAGs with another timetable than `OnEvents` are left to it.
"""

from __future__ import annotations

from typing import Any

from airflow.assets.manager import AssetManager

from metaflow_airflow.compat import airflow_assets as compat


class EventQueue(AssetManager):
    """Gives each event a run of its own, or what still lacks other events a place to wait."""

    @classmethod
    def register_asset_change(cls, **event: Any) -> Any:
        """Register an event; one of a run that an event without a key started has none either."""
        if key := event.get("partition_key"):
            event["partition_key"] = compat.said_key(key)
        return super().register_asset_change(**event)

    @classmethod
    def _queue_dagruns(cls, *event: Any, **named: Any) -> None:
        if event or not compat.has_rows_of_runs():  # before 3.3
            return super()._queue_dagruns(*event, **named)
        waiting = named.pop("dags_to_queue")
        ours = {dag for dag in waiting if compat.is_on_events(dag)}
        super()._queue_dagruns(dags_to_queue=waiting - ours, **named)
        for dag in sorted(ours, key=lambda dag: dag.dag_id):
            compat.await_run(dag, **named)
        return None

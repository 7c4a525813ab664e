"""When a scheduled flow starts: Airflow's cron, without the ticks that nobody waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.timezone import coerce_datetime, utcnow
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable

from metaflow_airflow.compat.airflow import schedule_of_dag

if TYPE_CHECKING:
    from pendulum import DateTime


class NextTickTimetable(CronTriggerTimetable):
    """Cron that begins with the next tick after an export and after a pause.

    Airflow's own runs the newest tick that has passed at once, in both cases. A tick that passes
    while Airflow itself is late or down is run here too; with catchup, all since the last run are.

    Args:
        cron: five fields. timezone: its time zone.
        dag_id: of the DAG; Airflow tells no timetable whose it is.
    """

    def __init__(self, cron: str, *, timezone: str, dag_id: str) -> None:
        super().__init__(cron, timezone=timezone, run_immediately=True)
        self._dag_id = dag_id

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> NextTickTimetable:
        """From what Airflow keeps."""
        return cls(data["expression"], timezone=data["timezone"], dag_id=data["dag_id"])

    def serialize(self) -> dict[str, Any]:
        """As Airflow keeps it."""
        kept = super().serialize()
        return {key: kept[key] for key in ("expression", "timezone")} | {"dag_id": self._dag_id}

    def next_dagrun_info(
        self,
        *,
        last_automated_data_interval: DataInterval | None,
        restriction: TimeRestriction,
    ) -> DagRunInfo | None:
        """The next run: a tick to come, or one that has passed and is still due."""
        info = super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )
        now = coerce_datetime(utcnow())
        if info is None or info.run_after > now:
            return info
        wanted = restriction.catchup and last_automated_data_interval is not None
        if wanted or self._is_due(info.run_after):
            return info
        following = self._get_next(now)
        if restriction.latest is not None and restriction.latest < following:
            return None
        return DagRunInfo.interval(following, following)

    def _is_due(self, tick: DateTime) -> bool:
        """Whether Airflow was waiting for a tick that has passed.

        Whenever it reads the DAG file it asks for the next run and keeps it. While the DAG is
        paused it is told the next tick to come: so what it waits for has then moved past the tick.
        """
        kept = schedule_of_dag(self._dag_id)
        if kept is None or kept.paused or kept.next_run is None:
            return False
        return kept.next_run <= tick

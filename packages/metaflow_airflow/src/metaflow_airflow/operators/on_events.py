"""When a flow with @trigger starts: each event starts a run of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import AssetAll
from airflow.timetables.simple import AssetTriggeredTimetable

if TYPE_CHECKING:
    from airflow.sdk.definitions.asset import BaseAsset
    from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
    from airflow.utils.types import DagRunType
    from pendulum import DateTime


class OnEvents(AssetTriggeredTimetable):
    """Runs when all of some assets have been updated, and at a schedule's times too.

    With `operators.event_queue.EventQueue` as Airflow's asset manager each event starts a run of
    its own, whether it carries a partition key or not. Airflow's own manager starts one run for
    the events that come close together, and none for those with a partition key.

    Args:
        assets: that a run waits for.
        or_at: another timetable, at whose times it starts as well.
        reset_at: cron expression and time zone: at these times, events that still wait for others
            are forgotten.
    """

    partitioned_at_runtime = True
    """Its runs may have a partition key, and need none."""

    def __init__(
        self,
        *assets: BaseAsset,
        or_at: Timetable | None = None,
        reset_at: list[str] | None = None,
        condition: Any = None,
    ) -> None:
        wanted: Any = condition or (assets[0] if len(assets) == 1 else AssetAll(*assets))
        super().__init__(wanted)
        self.or_at = or_at
        self.reset_at = reset_at
        if or_at is not None:
            self.description = f"By events, or {or_at.description}"
            self.periodic = or_at.periodic

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> OnEvents:
        """From what Airflow keeps."""
        from airflow.serialization.decoders import decode_asset_like, decode_timetable

        or_at = data["or_at"]
        return cls(
            condition=decode_asset_like(data["asset_condition"]),
            or_at=decode_timetable(or_at) if or_at else None,
            reset_at=data["reset_at"],
        )

    def serialize(self) -> dict[str, Any]:
        """As Airflow keeps it."""
        from airflow.serialization.encoders import encode_timetable

        return {
            **super().serialize(),
            "or_at": encode_timetable(self.or_at) if self.or_at else None,
            "reset_at": self.reset_at,
        }

    @property
    def summary(self) -> str:
        """What the list of DAGs shows."""
        return f"Events or {self.or_at.summary}" if self.or_at else "Events"

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """The interval of a run that somebody triggers."""
        if self.or_at is None:
            return super().infer_manual_data_interval(run_after=run_after)
        return self.or_at.infer_manual_data_interval(run_after=run_after)

    def next_dagrun_info(
        self,
        *,
        last_automated_data_interval: DataInterval | None,
        restriction: TimeRestriction,
    ) -> DagRunInfo | None:
        """The next run that no event starts."""
        if self.or_at is None:
            return None
        return self.or_at.next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )

    def generate_run_id(self, *, run_type: DagRunType, **extra: Any) -> str:
        """The id of a new run."""
        from airflow.utils.types import DagRunType as Type

        if self.or_at is None or run_type == Type.ASSET_TRIGGERED:
            return super().generate_run_id(run_type=run_type, **extra)
        return self.or_at.generate_run_id(run_type=run_type, **extra)

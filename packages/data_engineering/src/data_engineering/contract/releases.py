"""The trip files that TLC has published since 2009: what their columns are called and hold.

Names have changed (`Trip_Pickup_DateTime`, `pickup_datetime`, `tpep_pickup_datetime`), in case
(`Airport_fee`, `airport_fee`) and by blanks around them, types from release to release. Only the
columns that are used must be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a column of a trip file holds; TLC changes the exact type from month to month."""

    TIME = "a timestamp without time zone"
    NUMBER = "a number"
    TEXT = "text"


@dataclass(frozen=True)
class Column:
    """A column of a trip file.

    `name` is TLC's name of today, `kind` what it holds, `usual` its Polars type in today's files,
    `feature` what it is called in the features if it is used, `older` its other names.
    """

    name: str
    kind: Kind
    usual: str
    feature: str = ""
    older: tuple[str, ...] = ()
    required: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All names, as they are compared: without case."""
        return tuple(name.casefold() for name in (self.name, *self.older))


def _used(name: str, feature: str, usual: str, *older: str, required: bool = True) -> Column:
    kind = Kind.TIME if usual.startswith("Datetime") else Kind.NUMBER
    return Column(name, kind, usual, feature, older, required)


def _other(usual: str, *names: str) -> tuple[Column, ...]:
    kind = Kind.TEXT if usual == "String" else Kind.NUMBER
    return tuple(Column(first, kind, usual, older=tuple(older)) for first, *older in
                 (name.split("|") for name in names))  # fmt: skip


_TIME = "Datetime(time_unit='us', time_zone=None)"


def _release(prefix: str, *own: Column) -> tuple[Column, ...]:
    return (
        _used(f"{prefix}_pickup_datetime", "pickup_at", _TIME,
              "pickup_datetime", "Trip_Pickup_DateTime"),
        _used(f"{prefix}_dropoff_datetime", "dropoff_at", _TIME,
              "dropoff_datetime", "Trip_Dropoff_DateTime"),
        _used("PULocationID", "pickup_zone", "Int32", "pickup_location_id"),
        _used("DOLocationID", "dropoff_zone", "Int32", "dropoff_location_id"),
        _used("passenger_count", "passenger_count", "Float64"),
        _used("trip_distance", "trip_distance_miles", "Float64"),
        _used("fare_amount", "fare_dollars", "Float64", "Fare_Amt"),
        _used("total_amount", "total_dollars", "Float64", "Total_Amt", required=False),
        *_other("Int32", "VendorID|vendor_id|vendor_name"),
        *_other("Float64", "RatecodeID|rate_code_id|rate_code", "extra|surcharge", "mta_tax",
                "tip_amount|Tip_Amt", "tolls_amount|Tolls_Amt", "improvement_surcharge",
                "congestion_surcharge", "cbd_congestion_fee"),
        *_other("Int64", "payment_type"),
        *_other("String", "store_and_fwd_flag|store_and_forward"),
        *own,
    )  # fmt: skip


RELEASES: Mapping[str, tuple[Column, ...]] = {
    "green": _release("lpep", *_other("Float64", "ehail_fee", "trip_type")),
    "yellow": _release("tpep", *_other("Float64", "Airport_fee")),
}

COORDINATES = frozenset(
    {"start_lon", "start_lat", "end_lon", "end_lat", "pickup_longitude", "pickup_latitude",
     "dropoff_longitude", "dropoff_latitude"}
)  # fmt: skip
"""Where a trip began and ended, in files that are older than TLC's zones."""

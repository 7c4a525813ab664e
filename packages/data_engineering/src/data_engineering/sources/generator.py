"""Months of taxi trips that never happened, in TLC's schema and with TLC's dirt.

For machines that cannot reach TLC, and for tests. The same cab, month, rows and seed give the same
trips. Rush hours, speeds and demand follow green and yellow cabs of 2023 to 2025 roughly; nothing
here is fit for saying anything about New York.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data_engineering.contract import months, reasons
from data_engineering.sources.city import City, Floats, city

CHUNK = 250_000
"""Rows made and written at once, so that a month of millions stays small in memory."""

# Relative demand and speed by hour of day, on work days and on weekends.
_DEMAND_WORK = (
    11, 6, 4, 3, 4, 6, 17, 46, 60, 58, 55, 55, 56, 60, 69, 81, 87, 94, 88, 70, 52, 39, 31, 22,
)  # fmt: skip
_DEMAND_WEEKEND = (
    38, 32, 24, 17, 11, 8, 9, 14, 24, 36, 46, 52, 56, 58, 60, 62, 63, 65, 64, 58, 50, 45, 43, 38,
)  # fmt: skip
_SPEED_WORK = (
    1.35, 1.38, 1.40, 1.48, 1.60, 1.62, 1.30, 0.98, 0.90, 0.94, 0.96, 0.96, 0.95, 0.94, 0.88, 0.83,
    0.81, 0.80, 0.88, 1.01, 1.10, 1.14, 1.20, 1.28,
)  # fmt: skip
_SPEED_WEEKEND = (
    1.28, 1.26, 1.26, 1.32, 1.42, 1.52, 1.50, 1.42, 1.32, 1.22, 1.14, 1.08, 1.04, 1.02, 1.00, 0.99,
    0.98, 0.98, 1.00, 1.05, 1.12, 1.16, 1.20, 1.25,
)  # fmt: skip


@dataclass(frozen=True)
class Dirt:
    """Shares of rows that are not usable trips, as in real months of each cab."""

    other_month: float
    non_positive: float
    too_long: float
    zero_distance: float
    too_far: float
    unknown_zone: float
    very_short: float
    hour_or_more: float
    no_meter: float
    refund: float


_DIRT = {
    "green": Dirt(6e-5, 1.3e-3, 4.6e-3, 0.05, 7e-4, 0.010, 0.010, 0.008, 0.065, 0.0025),
    "yellow": Dirt(2e-5, 1.2e-3, 7e-4, 0.025, 3e-5, 0.006, 0.008, 0.006, 0.15, 0.018),
}


@dataclass
class _Trips:
    """One chunk of trips: arrays of the same length. Times are seconds since 1970."""

    pickup: NDArray[np.int64]
    seconds: NDArray[np.int64]
    origin: NDArray[np.int64]
    destination: NDArray[np.int64]
    miles: Floats
    no_meter: NDArray[np.bool_]
    refund: NDArray[np.bool_]


def generate(path: Path, cab: str, month: str, *, rows: int, seed: int) -> None:
    """Write a month of `rows` generated trips to `path`, in TLC's Parquet form."""
    months.check_cab(cab)
    year, number = (int(part) for part in months.check_month(month).split("-"))
    rng = np.random.default_rng([seed, zlib.crc32(cab.encode()), year, number])
    place = city(cab)
    writer: pq.ParquetWriter | None = None
    try:
        for begin in range(0, rows, CHUNK):
            size = min(CHUNK, rows - begin)
            trips = _drive(rng, place, month, size)
            _soil(rng, trips, _DIRT[cab], month)
            table = _table(rng, trips, cab, month)
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _drive(rng: np.random.Generator, place: City, month: str, size: int) -> _Trips:
    """Make trips without dirt."""
    pickup, hour, weekend = _pickup_times(rng, month, size)
    zones = len(place.pickups)
    origin = rng.choice(zones, size, p=place.pickups)
    steps = np.cumsum(place.dropoffs, axis=1)
    steps[:, -1] = 1.0
    # One search in all rows at once: row i's steps lie between i and i + 1.
    found = np.searchsorted((steps + np.arange(zones)[:, None]).ravel(), origin + rng.random(size))
    destination = np.minimum(found, zones * zones - 1) % zones
    miles = place.miles[origin, destination] * rng.lognormal(-0.02, 0.22, size)
    busy = place.busy[origin, destination]
    pace = np.where(weekend, np.array(_SPEED_WEEKEND)[hour], np.array(_SPEED_WORK)[hour])
    # Rush hours are worse in the middle; long trips use faster roads.
    speed = 8.9 * pace ** (0.6 + 1.2 * busy) * miles**0.33 * (1.12 - 0.4 * busy)
    minutes = 1.0 + 60 * miles / (speed * rng.lognormal(0, 0.23, size))
    return _Trips(
        pickup=pickup,
        seconds=np.clip(minutes * 60, 61, 3540).astype(np.int64),
        origin=origin + 1,
        destination=destination + 1,
        miles=np.maximum(np.round(miles, 2), 0.1),
        no_meter=np.zeros(size, bool),
        refund=np.zeros(size, bool),
    )


def _pickup_times(
    rng: np.random.Generator, month: str, size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    first = _second(month)
    days = (_second(months.month_after(month)) - first) // 86400
    weekday = (first // 86400 + 3 + np.arange(days)) % 7  # 1970-01-01 was a Thursday
    demand = np.where((weekday >= 5)[:, None], _DEMAND_WEEKEND, _DEMAND_WORK).astype(float)
    slot = rng.choice(days * 24, size, p=demand.ravel() / demand.sum())
    pickup = first + slot * 3600 + rng.integers(0, 3600, size)
    return pickup, slot % 24, weekday[slot // 24] >= 5


def _soil(rng: np.random.Generator, trips: _Trips, dirt: Dirt, month: str) -> None:
    """Spoil shares of the trips as the real ones are."""
    size = len(trips.pickup)

    def some(share: float) -> NDArray[np.int64]:
        """Rows to spoil, different ones each time; at least one when there are rows for all."""
        count = max(round(share * size), int(size >= 1000))
        return rng.choice(size, count, replace=False)

    rows = some(dirt.hour_or_more)
    trips.seconds[rows] = rng.integers(3601, 3 * 3600, len(rows))
    rows = some(dirt.very_short)
    trips.seconds[rows] = rng.integers(1, 60, len(rows))
    trips.miles[rows] = np.round(rng.uniform(0.01, 0.2, len(rows)), 2)
    trips.no_meter[some(dirt.no_meter)] = True
    rows = some(dirt.unknown_zone)
    ends = rng.random(len(rows)) < 0.2
    trips.origin[rows[ends]] = rng.choice([264, 265], int(ends.sum()))
    trips.destination[rows[~ends]] = rng.choice([264, 265], int((~ends).sum()))
    rows = some(dirt.zero_distance)
    trips.miles[rows] = 0.0
    rows = some(dirt.too_far)
    trips.miles[rows] = np.round(rng.uniform(1_000, 150_000, len(rows)), 2)
    trips.no_meter[rows] = True
    rows = some(dirt.too_long)  # most are a meter that was left on until the next day
    trips.seconds[rows] = rng.triangular(3 * 3600 + 1, 86_000, 86_390, len(rows)).astype(np.int64)
    trips.seconds[some(dirt.non_positive)] = 0
    trips.refund[some(dirt.refund)] = True
    rows = some(dirt.other_month)
    first, end = _second(month), _second(months.month_after(month))
    near = np.where(rng.random(len(rows)) < 0.7, first - 1, end)
    shift = rng.integers(0, 7200, len(rows))
    trips.pickup[rows] = np.where(near < first, near - shift, near + shift)
    trips.pickup[rows[:1]] = _second("2009-01") + shift[:1]


def _table(rng: np.random.Generator, trips: _Trips, cab: str, month: str) -> pa.Table:
    """Return the chunk in TLC's columns and order."""
    size = len(trips.pickup)
    prefix, fare = ("lpep" if cab == "green" else "tpep"), _fares(rng, trips)
    # TLC writes codes as Int64 in one month and as Float64 in another.
    code = pa.float64() if cab == "yellow" or month >= "2024-01" else pa.int64()
    blank = trips.no_meter  # what the driver's meter did not send

    def coded(values: list[int], shares: list[float]) -> pa.Array:
        drawn = rng.choice(np.array(values), size, p=np.array(shares) / np.sum(shares))
        return pa.array(drawn, pa.int64(), mask=blank).cast(code)

    hour = trips.pickup // 3600 % 24
    sign = np.where(trips.refund, -1.0, 1.0)
    extra = np.where((hour >= 16) & (hour < 20), 2.5, np.where((hour >= 20) | (hour < 6), 1.0, 0.0))
    tip = np.where(rng.random(size) < 0.55, np.round(fare * rng.uniform(0.1, 0.3, size), 2), 0.0)
    jam = np.where(rng.random(size) < (0.27 if cab == "green" else 0.9), 2.75, 0.0)
    cbd = np.where(jam > 0, 0.75, 0.0)
    money = {
        "fare_amount": sign * fare,
        "extra": sign * extra,
        "mta_tax": sign * 0.5,
        "tip_amount": np.where(trips.refund, 0.0, tip),
        "tolls_amount": np.where(trips.miles > 9, 6.94, 0.0),
        "improvement_surcharge": sign * 1.0,
    }
    total = sum(money.values()) + sign * jam
    flag = rng.random(size) < 0.002
    columns: dict[str, pa.Array] = {
        "VendorID": pa.array(np.where(rng.random(size) < 0.87, 2, 1), pa.int32()),
        f"{prefix}_pickup_datetime": _times(trips.pickup),
        f"{prefix}_dropoff_datetime": _times(trips.pickup + trips.seconds),
        "store_and_fwd_flag": pa.array(np.where(flag, "Y", "N"), pa.string(), mask=blank),
        "RatecodeID": coded([1, 2, 3, 4, 5, 99], [0.96, 0.01, 0.002, 0.002, 0.025, 0.001]),
        "PULocationID": pa.array(trips.origin, pa.int32()),
        "DOLocationID": pa.array(trips.destination, pa.int32()),
        "passenger_count": coded(
            [1, 2, 5, 6, 3, 0, 4], [0.84, 0.09, 0.03, 0.016, 0.01, 0.01, 4e-3]
        ),
        "trip_distance": pa.array(trips.miles, pa.float64()),
        **{name: pa.array(np.round(values, 2), pa.float64()) for name, values in money.items()},
        "total_amount": pa.array(np.round(total, 2), pa.float64()),
        "payment_type": coded([1, 2, 3, 4], [0.69, 0.3, 0.008, 0.002]),
        "congestion_surcharge": pa.array(sign * jam, pa.float64(), mask=blank),
    }
    if cab == "green":
        columns["ehail_fee"] = pa.nulls(size, pa.float64())
        columns["trip_type"] = coded([1, 2], [0.967, 0.033])
    else:
        airport = np.isin(trips.origin, (132, 138))
        name = "Airport_fee" if month >= "2023-01" else "airport_fee"
        columns[name] = pa.array(np.where(airport, 1.75, 0.0), pa.float64(), mask=blank)
        # Yellow files say 0 where green ones have a null.
        columns["payment_type"] = columns["payment_type"].fill_null(0).cast(pa.int64())
    if month >= "2025-01":
        columns["cbd_congestion_fee"] = pa.array(sign * cbd, pa.float64())
    return pa.table(columns)


def _fares(rng: np.random.Generator, trips: _Trips) -> Floats:
    """Return metered fares in dollars; a distance that is nonsense was not charged for."""
    miles = np.where(trips.miles > reasons.TOO_FAR_MILES, 3.0, trips.miles)
    minutes = np.minimum(trips.seconds, 5400) / 60
    return np.round(3.0 + 2.4 * miles + 0.45 * minutes + rng.normal(0, 0.3, len(miles)), 1)


def _times(seconds: NDArray[np.int64]) -> pa.Array:
    return pa.array(seconds * 1_000_000, pa.timestamp("us"))


def _second(month: str) -> int:
    """Return when the month begins, in seconds since 1970 of a clock that knows no time zone."""
    return int((datetime.fromisoformat(f"{month}-01") - datetime(1970, 1, 1)).total_seconds())

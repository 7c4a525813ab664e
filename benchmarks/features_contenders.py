"""The contenders of `features.py`: the same rows of the same columns, each in its own way."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

USED = [
    "tpep_pickup_datetime", "tpep_dropoff_datetime", "PULocationID", "DOLocationID",
    "passenger_count", "trip_distance", "fare_amount", "total_amount",
]  # fmt: skip
_AFTER = """
SELECT pickup_at, pickup_zone, dropoff_zone, hour(pickup_at)::TINYINT AS hour,
  (isodow(pickup_at) - 1)::TINYINT AS weekday, day(pickup_at)::TINYINT AS day_of_month,
  month(pickup_at)::TINYINT AS month_of_year,
  (hour(pickup_at) * 60 + minute(pickup_at))::SMALLINT AS minute_of_day, d.holiday,
  NOT d.holiday AND isodow(pickup_at) < 6 AND (hour(pickup_at) BETWEEN 7 AND 9
    OR hour(pickup_at) BETWEEN 16 AND 18) AS rush_hour,
  t.zone_pair, p.airport AS airport_pickup, q.airport AS airport_dropoff, h.pair_trips,
  h.pair_median_minutes, h.pair_median_miles, passenger_count,
  trip_distance_miles::FLOAT AS trip_distance_miles, duration_minutes::FLOAT AS duration_minutes,
  fare_dollars::FLOAT AS fare_dollars, p.borough AS pickup_borough, q.borough AS dropoff_borough
FROM trips t JOIN zones p ON p.zone = pickup_zone JOIN zones q ON q.zone = dropoff_zone
  JOIN days d ON d.day = pickup_at::DATE LEFT JOIN history h ON h.zone_pair = t.zone_pair
"""
_TRIPS = """
WITH read AS (SELECT DISTINCT {columns} FROM read_parquet('{source}')),
trips AS (SELECT tpep_pickup_datetime AS pickup_at, PULocationID::SMALLINT AS pickup_zone,
    DOLocationID::SMALLINT AS dropoff_zone, (PULocationID * 1000 + DOLocationID)::INT AS zone_pair,
    passenger_count::TINYINT AS passenger_count, trip_distance AS trip_distance_miles,
    date_diff('us', tpep_pickup_datetime, tpep_dropoff_datetime) / 60e6 AS duration_minutes,
    fare_amount AS fare_dollars
  FROM read WHERE tpep_pickup_datetime >= '2024-02-01' AND tpep_pickup_datetime < '2024-03-01'
    AND trip_distance > 0 AND trip_distance <= 100 AND PULocationID BETWEEN 1 AND 263
    AND DOLocationID BETWEEN 1 AND 263
    AND date_diff('us', tpep_pickup_datetime, tpep_dropoff_datetime) BETWEEN 60e6 AND 3600e6
    AND NOT ((fare_amount < 0 OR (fare_amount = 0 AND total_amount < 0)) AND EXISTS (
      SELECT 1 FROM read r WHERE {same} AND r.fare_amount = -read.fare_amount
        AND r.total_amount = -read.total_amount)))
"""


def ours(root: str, _: Path) -> int:
    """Publish as the DAG's task does."""
    from data_engineering import steps
    from data_engineering.storage.objects import Storage

    storage = Storage(root)
    landed = steps.Landed.of(json.loads(storage.get("bench/landed.json") or b""))
    content = steps.publish_month(storage, landed).manifest
    return int(content["rows"])


def naive_polars(root: str, side: Path) -> int:
    """One lazy plan, streamed."""
    import polars as pl

    raw = pl.scan_parquet(f"{root}/bench/raw.parquet", storage_options=_options(root)).select(USED)
    at, fare, total = pl.col("pickup_at"), pl.col("fare_dollars"), pl.col("total_dollars")
    trips = raw.select(
        pl.col("tpep_pickup_datetime").alias("pickup_at"),
        pl.col("tpep_dropoff_datetime").alias("dropoff_at"),
        pl.col("PULocationID").cast(pl.Int16).alias("pickup_zone"),
        pl.col("DOLocationID").cast(pl.Int16).alias("dropoff_zone"),
        pl.col("passenger_count").cast(pl.Int8),
        pl.col("trip_distance").alias("trip_distance_miles"),
        fare_dollars="fare_amount",
        total_dollars="total_amount",
    ).unique()
    key = ["pickup_at", "dropoff_at", "pickup_zone", "dropoff_zone", "trip_distance_miles"]
    is_back = (fare < 0) | ((fare == 0) & (total < 0))
    back = trips.filter(is_back).join(
        trips.select(*key, -fare, -total), on=[*key, "fare_dollars", "total_dollars"], how="semi"
    )
    minutes = (pl.col("dropoff_at") - at).dt.total_microseconds() / 60_000_000
    pair = pl.col("pickup_zone").cast(pl.Int32) * 1000 + pl.col("dropoff_zone")
    kept = trips.join(back, on=[*key, "fare_dollars", "total_dollars"], how="anti").with_columns(
        minutes.cast(pl.Float32).alias("duration_minutes"), pair.alias("zone_pair")
    ).filter(
        at.is_between(pl.datetime(2024, 2, 1), pl.datetime(2024, 3, 1), closed="left"),
        pl.col("trip_distance_miles").is_between(0, 100, closed="right"),
        pl.col("pickup_zone").is_between(1, 263), pl.col("dropoff_zone").is_between(1, 263),
        minutes.is_between(1, 60),
    )  # fmt: skip
    zones, days = pl.scan_parquet(side / "zones.parquet"), pl.scan_parquet(side / "days.parquet")
    hour = at.dt.hour()
    for end in ("pickup", "dropoff"):
        names = {"zone": f"{end}_zone", "borough": f"{end}_borough", "airport": f"airport_{end}"}
        kept = kept.join(zones.rename(names), on=f"{end}_zone")
    rush = hour.is_between(7, 9) | hour.is_between(16, 18)
    made = (
        kept.join(pl.scan_parquet(side / "history.parquet"), on="zone_pair", how="left")
        .join(days, left_on=at.dt.date(), right_on="day")
        .with_columns(
            hour.alias("hour"), (at.dt.weekday() - 1).alias("weekday"),
            at.dt.day().alias("day_of_month"), at.dt.month().alias("month_of_year"),
            (hour.cast(pl.Int16) * 60 + at.dt.minute()).alias("minute_of_day"),
            (rush & (at.dt.weekday() < 6) & ~pl.col("holiday")).alias("rush_hour"),
            pl.col("trip_distance_miles", "fare_dollars").cast(pl.Float32),
        )
    ).select(_columns())  # fmt: skip
    return _sink(made, root, side)


def duckdb(root: str, side: Path) -> int:
    """One statement of SQL."""
    import duckdb as db

    same = " AND ".join(f"r.{name} IS NOT DISTINCT FROM read.{name}" for name in USED[:6])
    trips = _TRIPS.format(columns=", ".join(USED), same=same, source=f"{root}/bench/raw.parquet")
    connection = db.connect()
    connection.execute("SET preserve_insertion_order = false; SET threads = 2")
    for name in ("zones", "days", "history"):
        connection.execute(f"CREATE VIEW {name} AS FROM '{side}/{name}.parquet'")
    out = side / "duckdb.parquet"
    connection.execute(f"COPY ({trips} {_AFTER}) TO '{out}' (FORMAT parquet, COMPRESSION zstd)")
    return int(connection.execute(f"SELECT count(*) FROM '{out}'").fetchone()[0])  # noqa: S608


def pandas(root: str, side: Path) -> int:
    """All of it in memory."""
    import pandas as pd

    trips = pd.read_parquet(f"{root}/bench/raw.parquet", columns=USED).drop_duplicates()
    fare, total = trips["fare_amount"], trips["total_amount"]
    negated = trips.assign(fare_amount=-fare, total_amount=-total)
    back = trips[(fare < 0) | ((fare == 0) & (total < 0))]
    back = back.merge(negated, on=USED).assign(back=True)
    trips = trips.merge(back, on=USED, how="left")
    at = trips["tpep_pickup_datetime"]
    minutes = (trips["tpep_dropoff_datetime"] - at).dt.total_seconds() / 60
    known = trips["PULocationID"].between(1, 263) & trips["DOLocationID"].between(1, 263)
    good = (at >= "2024-02-01") & (at < "2024-03-01") & minutes.between(1, 60) & known
    good &= (trips["trip_distance"] > 0) & (trips["trip_distance"] <= 100) & trips["back"].isna()
    made = pd.DataFrame({"pickup_at": at, "pickup_zone": trips["PULocationID"].astype("int16"),
                         "dropoff_zone": trips["DOLocationID"].astype("int16")})[good]  # fmt: skip
    at = made["pickup_at"]
    made["hour"], made["weekday"] = at.dt.hour.astype("int8"), at.dt.weekday.astype("int8")
    made["day_of_month"] = at.dt.day.astype("int8")
    made["month_of_year"] = at.dt.month.astype("int8")
    made["minute_of_day"] = (at.dt.hour * 60 + at.dt.minute).astype("int16")
    days = pd.read_parquet(side / "days.parquet").set_index("day")["holiday"]
    made["holiday"] = at.dt.date.map(days).astype(bool)
    rush = made["hour"].between(7, 9) | made["hour"].between(16, 18)
    made["rush_hour"] = rush & (made["weekday"] < 5) & ~made["holiday"]
    made["zone_pair"] = made["pickup_zone"].astype("int32") * 1000 + made["dropoff_zone"]
    zones = pd.read_parquet(side / "zones.parquet").set_index("zone")
    for end in ("pickup", "dropoff"):
        made[f"airport_{end}"] = made[f"{end}_zone"].map(zones["airport"])
        made[f"{end}_borough"] = made[f"{end}_zone"].map(zones["borough"])
    made = made.merge(pd.read_parquet(side / "history.parquet"), on="zone_pair", how="left")
    made["passenger_count"] = trips.loc[good, "passenger_count"].astype("Int8").array
    made["trip_distance_miles"] = trips.loc[good, "trip_distance"].astype("float32").array
    made["duration_minutes"] = minutes[good].astype("float32").array
    made["fare_dollars"] = trips.loc[good, "fare_amount"].astype("float32").array
    made[_columns()].to_parquet(side / "pandas.parquet", compression="zstd", index=False)
    return len(made)


def bare(root: str, side: Path) -> int:
    """Read the columns that are needed, and write what naive Polars made, by Polars."""
    import polars as pl

    raw = pl.scan_parquet(f"{root}/bench/raw.parquet", storage_options=_options(root)).select(USED)
    raw.select(pl.all().null_count()).collect(engine="streaming")
    return _sink(pl.scan_parquet(side / "naive_polars.parquet"), root, side, "bare")


def read_back(_: str, side: Path) -> int:
    """What `bare` reads in place of having it: taken off its figure."""
    import polars as pl

    made = pl.scan_parquet(side / "naive_polars.parquet")
    made.select(pl.all().null_count()).collect(engine="streaming")
    return int(made.select(pl.len()).collect().item())


CONTENDERS: dict[str, Callable[[str, Path], int]] = {
    each.__name__: each for each in (naive_polars, ours, duckdb, pandas, bare, read_back)
}
WARM = {"ours": "data_engineering.steps", "duckdb": "duckdb", "pandas": "pandas"}
"""What each imports, which is no part of its cost."""
IN_S3 = ("naive_polars", "ours", "bare", "read_back")


def _columns() -> list[str]:
    from data_engineering.contract.frames import FEATURES

    return list(FEATURES)


def _options(root: str) -> dict[str, str] | None:
    if not root.startswith("s3://"):
        return None
    return {"aws_endpoint_url": os.environ["AWS_ENDPOINT_URL"], "aws_allow_http": "true"}


def _sink(made: Any, root: str, side: Path, name: str = "naive_polars") -> int:
    import polars as pl

    to = f"{root}/bench/{name}.parquet" if root.startswith("s3://") else side / f"{name}.parquet"
    made.sink_parquet(
        to, compression="zstd", row_group_size=250_000, storage_options=_options(root)
    )
    written = pl.scan_parquet(to, storage_options=_options(root)).select(pl.len())
    return int(written.collect().item())

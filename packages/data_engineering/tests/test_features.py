"""What features are made of, checked against the same sums in plain Python."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from data_engineering.contract.frames import (
    FEATURES,
    QUARANTINE,
    VERSION,
    Features,
    column_types,
    described,
)
from data_engineering.sources.generator import generate
from data_engineering.trips.history import PAIRS, PairHistory, place
from data_engineering.trips.zones import BOROUGH_OF

from .trips_files import Made, made_of, row, table, write

# Contract 2, word for word: readers rely on these names and types.
CONTRACT_2 = {
    "pickup_at": pl.Datetime("us"),
    "pickup_zone": pl.Int16,
    "dropoff_zone": pl.Int16,
    "hour": pl.Int8,
    "weekday": pl.Int8,
    "day_of_month": pl.Int8,
    "minute_of_day": pl.Int16,
    "zone_pair": pl.Int32,
    "pickup_borough": pl.String,
    "dropoff_borough": pl.String,
    "month_of_year": pl.Int8,
    "holiday": pl.Boolean,
    "airport_pickup": pl.Boolean,
    "airport_dropoff": pl.Boolean,
    "rush_hour": pl.Boolean,
    "pair_trips": pl.Int32,
    "pair_median_minutes": pl.Float32,
    "pair_median_miles": pl.Float32,
    "passenger_count": pl.Int8,
    "trip_distance_miles": pl.Float32,
    "duration_minutes": pl.Float32,
    "fare_dollars": pl.Float32,
}
# February 2024's federal holiday: Washington's birthday.
FREE = {19}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("month")
    generate(folder / "green.parquet", "green", "2024-02", rows=5_000, seed=3)
    return made_of(folder / "green.parquet", folder / "out", "green", "2024-02")


def test_all_columns_of_contract_2_are_there_with_their_types(made: Made) -> None:
    assert VERSION == 2
    assert dict(made.features.schema) == CONTRACT_2
    assert dict(made.features.schema) == FEATURES
    assert list(column_types()) == made.features.columns
    assert dict(made.quarantine.schema) == {
        **CONTRACT_2, "source_row": pl.Int64, "reasons": pl.List(pl.String),
    } == QUARANTINE  # fmt: skip


def test_what_is_published_follows_the_schema(made: Made) -> None:
    Features.validate(made.features)
    with pytest.raises(Exception, match="duration_minutes"):
        Features.validate(made.features.with_columns(pl.lit(61.0, pl.Float32).alias(
            "duration_minutes")))  # fmt: skip


def test_the_schema_says_what_is_known_only_after_the_trip() -> None:
    columns = described()["columns"]
    after = {name for name, about in columns.items() if about["known"] == "after"}
    assert after == {"trip_distance_miles", "duration_minutes", "fare_dollars"}
    assert {about["known"] for about in columns.values()} == {"before", "after"}
    assert all(about["meaning"] and about["type"] for about in columns.values())


def test_every_value_follows_from_the_trip(made: Made) -> None:
    assert made.features.height > 4_000
    for trip in made.features.iter_rows(named=True):
        at: datetime = trip["pickup_at"]
        assert (trip["hour"], trip["weekday"]) == (at.hour, at.weekday())
        assert (trip["day_of_month"], trip["month_of_year"]) == (at.day, at.month)
        assert trip["minute_of_day"] == at.hour * 60 + at.minute
        assert trip["zone_pair"] == trip["pickup_zone"] * 1000 + trip["dropoff_zone"]
        assert trip["pickup_borough"] == BOROUGH_OF[trip["pickup_zone"]]
        assert trip["dropoff_borough"] == BOROUGH_OF[trip["dropoff_zone"]]
        assert trip["airport_pickup"] == (trip["pickup_zone"] in (1, 132, 138))
        assert trip["airport_dropoff"] == (trip["dropoff_zone"] in (1, 132, 138))
        assert trip["holiday"] == (at.day in FREE)
        busy = 7 <= at.hour < 10 or 16 <= at.hour < 19
        assert trip["rush_hour"] == (busy and at.weekday() < 5 and at.day not in FREE)
        assert 1 <= trip["duration_minutes"] <= 60
        assert 0 < trip["trip_distance_miles"] <= 100
        assert f"{at:%Y-%m}" == "2024-02"


def test_only_the_passenger_count_and_history_may_be_null(made: Made) -> None:
    nulls = {name: n for name, n in made.features.null_count().row(0, named=True).items() if n}
    assert nulls.pop("passenger_count") > 0
    history = ("pair_trips", "pair_median_minutes", "pair_median_miles")
    assert nulls == dict.fromkeys(history, made.features.height)


def test_the_quarantine_has_the_same_features_as_far_as_they_go(tmp_path: Path) -> None:
    old = datetime(2009, 7, 4, 17, 5)
    path = write(
        tmp_path,
        table(
            [
                row(),
                row(lpep_pickup_datetime=old, lpep_dropoff_datetime=old + timedelta(minutes=5)),
                row(lpep_pickup_datetime=None, PULocationID=265, fare_amount=float("nan")),
            ]
        ),
    )
    first, second = made_of(path, tmp_path / "out").quarantine.rows(named=True)
    assert (first["source_row"], first["reasons"]) == (1, ["other_month"])
    assert (first["hour"], first["weekday"], first["holiday"]) == (17, 5, True)
    assert (first["month_of_year"], first["duration_minutes"]) == (7, 5.0)
    assert second["reasons"] == ["other_month", "non_positive_duration", "unknown_zone"]
    unknown = ("pickup_at", "hour", "weekday", "holiday", "rush_hour", "pickup_borough",
               "airport_pickup", "duration_minutes", "fare_dollars")  # fmt: skip
    assert {second[name] for name in unknown} == {None}
    assert (second["dropoff_borough"], second["zone_pair"]) == ("Manhattan", 265_075)


def history(**pairs: tuple[int, float, float]) -> pl.DataFrame:
    """A month of pairs: p74075 = (trips, minutes, miles)."""
    rows = [(int(name[1:]), *of) for name, of in pairs.items()]
    return pl.DataFrame(rows, schema=PAIRS, orient="row")


def test_history_is_of_earlier_months_and_drawn_to_the_boroughs_where_it_is_rare() -> None:
    first = history(p74075=(90, 10.0, 2.0), p74041=(10, 20.0, 4.0))
    second = history(p74075=(110, 12.0, 2.0))
    found = PairHistory.of_months([first, second])
    pairs = [(74, 75), (74, 41), (4, 12), (3, 18), (None, 3), (3, None)]
    asked = pl.DataFrame(pairs, schema=["from", "to"], orient="row")
    of = asked.select(place(pl.col("from") - 1, pl.col("to") - 1)).select(found.looked_up)
    boroughs = (200 * 11.1 + 10 * 20.0) / 210
    assert of["pair_trips"].to_list() == [200, 10, 0, 0, None, None]
    minutes = of["pair_median_minutes"].to_list()
    assert minutes[0] == pytest.approx((200 * 11.1 + 20 * boroughs) / 220)
    assert minutes[1] == pytest.approx((10 * 20.0 + 20 * boroughs) / 30)
    assert minutes[2:4] == pytest.approx([boroughs, boroughs])  # no trips: the others' median
    assert minutes[4:] == [None, None]
    assert of["pair_median_miles"].null_count() == 2


def test_a_months_medians_are_right_within_a_bin(tmp_path: Path, made: Made) -> None:
    pairs = pl.read_parquet(made.built.files["pairs"].uri)
    assert dict(pairs.schema) == PAIRS
    exact = made.features.group_by("zone_pair").agg(
        pl.len().alias("n"),
        pl.median("duration_minutes").alias("minutes"),
        pl.median("trip_distance_miles").alias("miles"),
    )
    both = pairs.join(exact, on="zone_pair", how="full")
    assert both["trips"].equals(both["n"].cast(pl.Int32), check_names=False)
    often = both.filter(pl.col("trips") >= 20)
    assert often.height > 20
    assert ((often["median_minutes"] / often["minutes"] - 1).abs() <= 0.14).all()
    assert ((often["median_miles"] / often["miles"] - 1).abs() <= 0.25).all()


def test_no_feature_of_a_row_follows_from_other_rows_of_its_month(tmp_path: Path) -> None:
    """With other rows taken away, changed and put in another order, a row stays as it was."""
    generate(tmp_path / "a.parquet", "green", "2024-02", rows=3_000, seed=1)
    whole = pl.read_parquet(tmp_path / "a.parquet")
    earlier = PairHistory.of_months([history(p74075=(90, 10.0, 2.0))])
    part = whole.sample(1_000, shuffle=True, seed=2)
    later = part.with_columns(pl.col("lpep_dropoff_datetime").dt.offset_by("3m"))
    before = [name for name, about in described()["columns"].items() if about["known"] == "before"]

    def known_before(frame: pl.DataFrame, name: str) -> pl.DataFrame:
        path = write(tmp_path, frame, f"{name}.parquet")
        made = made_of(path, tmp_path / name, "green", "2024-02", earlier)
        rows = pl.concat([made.features, made.quarantine.select(made.features.columns)])
        return rows.select(before).unique().sort(before)

    everything = known_before(whole, "whole")
    for name, frame in (("part", part), ("later", later)):
        rows = known_before(frame, name)
        assert rows.join(everything, on=before, how="anti", nulls_equal=True).is_empty(), name
        assert rows.height > 900


def test_only_columns_that_are_used_are_read(tmp_path: Path) -> None:
    """A column that nothing uses may be damaged."""
    generate(tmp_path / "a.parquet", "green", "2024-02", rows=500, seed=0)
    import pyarrow.parquet as pq

    group = pq.read_metadata(tmp_path / "a.parquet").row_group(0)
    names = [group.column(n).path_in_schema for n in range(group.num_columns)]
    tips = group.column(names.index("tip_amount"))
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    begin = tips.dictionary_page_offset or tips.data_page_offset
    content[begin : begin + 60] = bytes(60)
    (tmp_path / "b.parquet").write_bytes(content)
    whole, damaged = (
        made_of(tmp_path / f"{name}.parquet", tmp_path / name, "green", "2024-02") for name in "ab"
    )
    assert whole.features.equals(damaged.features)

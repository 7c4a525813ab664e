"""The agreement with the data team: what is refused, in which words, and which rows are read."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ml_flows import contract, dataset, split, storage
from ml_flows.errors import InputError, StorageUnavailableError

from .conftest import Site, trips

COLUMNS = {
    "pickup_at": "Datetime(time_unit='us', time_zone=None)",
    "pickup_zone": "Int16",
    "dropoff_zone": "Int16",
    "weekday": "Int8",
    "duration_minutes": "Float32",
    "anything_more": "String",
}
URI = "s3://b/features/green/2024-01/current.json"


def _manifest(**changes: Any) -> dict[str, Any]:
    agreed = {
        "contract": 2, "cab": "green", "month": "2024-01", "version": "v", "uri": "s3://b/x.parquet",
        "rows": 3, "columns": COLUMNS,
    }  # fmt: skip
    return {name: value for name, value in (agreed | changes).items() if value is not ...}


def test_a_runs_tags_say_which_features_it_reads() -> None:
    months = [_manifest(), _manifest(month="2024-02", version="w", schema={"version": 3})]
    assert contract.tags(months) == {
        "features-v2", "features:green/2024-01@v", "features-v3", "features:green/2024-02@w",
    }  # fmt: skip


def test_what_was_agreed_is_accepted_with_more_columns_and_fields() -> None:
    manifest = _manifest(noted={"null_passenger_count": 2})
    assert contract.check_manifest(manifest, URI, cab="green", month="2024-01") == manifest


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"contract": 3}, "contract 3"),
        ({"contract": ...}, "contract None"),
        ({"uri": ...}, "no field 'uri'"),
        ({"cab": "yellow"}, "cab 'yellow', not 'green'"),
        ({"month": "2023-12"}, "month '2023-12', not '2024-01'"),
        ({"rows": 0}, "has no rows"),
        ({"columns": {**COLUMNS, "weekday": "String"}}, "'weekday' is String, not an integer"),
        ({"columns": {**COLUMNS, "duration_minutes": "String"}}, "'duration_minutes' is String"),
        (
            {"columns": {**COLUMNS, "pickup_at": "Datetime(time_unit='us', time_zone='UTC')"}},
            "not a time without time zone",
        ),
        (
            {"columns": {k: v for k, v in COLUMNS.items() if "zone" not in k}},
            "'pickup_zone' is missing; column 'dropoff_zone' is missing",
        ),
    ],
)
def test_what_was_not_agreed_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError) as caught:
        contract.check_manifest(_manifest(**changes), URI, cab="green", month="2024-01")
    assert URI in str(caught.value)
    assert named in str(caught.value)


@pytest.mark.parametrize("text", ["", " , ", "2024-13", "2023-12,January", "2024-1"])
def test_months_that_are_none_are_refused_with_the_parameters_name(text: str) -> None:
    with pytest.raises(InputError, match="train_months"):
        split.parse_months(text, "train_months")


def test_months_are_sorted_and_counted_once() -> None:
    assert split.parse_months(" 2024-01,2023-12, 2024-01", "x") == ["2023-12", "2024-01"]


@pytest.mark.parametrize(
    ("month", "start"), [("2024-02", (2024, 2, 23)), ("2023-12", (2023, 12, 25))]
)
def test_the_last_seven_days(month: str, start: tuple[int, int, int]) -> None:
    assert split.last_days(month, 7) == datetime(*start)


def _plan(here: Site, train: str, test: str = "") -> split.Split:
    return dataset.plan_split(f"{here.root}/features", "green", train, test, validation_days=7)


def test_only_the_needed_columns_are_read_and_the_test_week_is_apart(here: Site) -> None:
    here.publish("2023-12", trips("2023-12", 2000))
    plan = _plan(here, "2023-12")
    train, test = dataset.read_train(plan), dataset.read_test(plan)
    assert set(train.columns) == {*contract.COLUMNS, *contract.OPTIONAL}
    earlier, later = split.earlier_and_later(train, plan)
    assert earlier["pickup_at"].max() < datetime(2023, 12, 18) <= later["pickup_at"].min()  # type: ignore[operator]
    assert train.height + test.height == 2000
    assert train["pickup_at"].max() < datetime(2023, 12, 25) <= test["pickup_at"].min()  # type: ignore[operator]


def test_a_sample_takes_from_each_month_by_its_share_and_is_the_same_for_a_seed(
    here: Site,
) -> None:
    for month, rows in (("2023-11", 1000), ("2023-12", 3000)):
        here.publish(month, trips(month, rows))
    plan = _plan(here, "2023-12,2023-11")
    first, again, other = (
        dataset.read(plan["train"], max_rows=400, seed=seed) for seed in (1, 1, 2)
    )
    assert first.equals(again)
    assert not first.equals(other)
    months = first["pickup_at"].dt.month().value_counts().sort("pickup_at")["count"]
    assert months.to_list() == [100, 300]


def test_a_version_that_was_pinned_stays_after_another_is_published(here: Site) -> None:
    here.publish("2023-12", trips("2023-12", 500))
    pinned = dataset.resolve(f"{here.root}/features", "green", "2023-12")
    here.publish("2023-12", trips("2023-12", 700))
    assert dataset.read([pinned]).height == 500
    assert dataset.resolve(f"{here.root}/features", "green", "2023-12")["rows"] == 700


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ("2023-12,2024-01", "2024-01", "test_month 2024-01 is also among train_months"),
        ("2025-11", "2024-10", "test_month 2024-10 is before 2025-11 of train_months"),
        ("2023-11,2024-02", "2024-01", "is before 2024-02 of train_months"),
    ],
)
def test_a_month_to_test_on_comes_after_all_that_is_learned_from(
    train: str, test: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        dataset.plan_split("s3://nowhere", "green", train, test, validation_days=7)


@pytest.mark.parametrize(
    ("month", "relation"),
    [("2024-01", "after"), ("2023-12", "learned from"), ("2023-11", "before")],
)
def test_a_month_to_predict_is_after_before_or_learned_from(month: str, relation: str) -> None:
    assert split.relation(["2023-10", "2023-12"], month) == relation
    assert bool(split.warning(relation, month, ["2023-12"])) is (relation != "after")


def test_a_manifest_whose_file_is_gone_is_refused_by_the_files_uri(here: Site) -> None:
    manifest = here.publish("2024-01", trips("2024-01", 10))
    here.s3.client.delete_object(
        Bucket=here.bucket, Key=manifest["uri"].removeprefix(f"{here.root}/")
    )
    with pytest.raises(InputError, match=manifest["uri"]):
        dataset.read([dataset.resolve(f"{here.root}/features", "green", "2024-01")])


def test_other_bytes_than_the_manifest_says_are_refused(here: Site) -> None:
    manifest = here.publish("2024-01", trips("2024-01", 50))
    other = trips("2024-01", 50, seed=1)
    here.put(manifest["uri"].removeprefix(f"{here.root}/"), _parquet(other))
    with pytest.raises(InputError, match=r"is not what was published: (sha256|bytes)") as caught:
        dataset.read([manifest])
    assert manifest["uri"] in str(caught.value)


def _parquet(table: pl.DataFrame) -> bytes:
    target = io.BytesIO()
    table.write_parquet(target)
    return target.getvalue()


def test_a_publication_of_contract_1_is_read_without_checksums_and_quarantine(here: Site) -> None:
    table = trips("2023-12", 500).drop("holiday")
    here.publish("2023-12", table, contract=1, files=None, schema=None)
    plan = _plan(here, "2023-12")
    assert dataset.read_train(plan)["holiday"].null_count() > 0
    assert dataset.read_outside(plan) is None


def test_of_the_quarantine_only_trips_that_somebody_would_have_asked_for_are_read(
    here: Site,
) -> None:
    kinds = {
        "outside_range": 30.0,
        "too_long,outside_range": 400.0,
        "unknown_zone,outside_range": 0.5,
        "too_long": 200.0,
        "other_month": 5.0,
    }
    outside = trips("2024-01", len(kinds)).with_columns(
        duration_minutes=pl.Series(list(kinds.values()), dtype=pl.Float32),
        reasons=pl.Series([each.split(",") for each in kinds]),
    )
    here.publish("2023-12", trips("2023-12", 200))
    here.publish("2024-01", trips("2024-01", 50), outside=outside)
    found = dataset.read_outside(_plan(here, "2023-12", "2024-01"))
    assert found is not None
    assert found.select("duration_minutes", "beyond").rows() == [(30.0, False), (400.0, True)]


def test_a_current_json_that_is_none_is_refused(here: Site) -> None:
    here.put("features/green/2024-01/current.json", b"<html>")
    with pytest.raises(InputError, match=r"2024-01/current\.json is not JSON"):
        dataset.resolve(f"{here.root}/features", "green", "2024-01")


@pytest.mark.parametrize(
    ("table", "named"),
    [
        (lambda t: t.drop("dropoff_zone"), "column 'dropoff_zone' is missing"),
        (lambda t: t.with_columns(pl.lit("x").alias("weekday")), "column 'weekday' is String"),
        (
            lambda t: t.with_columns(pl.lit(None, pl.Float32).alias("duration_minutes")),
            "column 'duration_minutes' has 50 nulls",
        ),
        (lambda t: t.head(0), "No trips at all"),
    ],
)
def test_a_file_that_is_not_what_its_manifest_says_is_refused(
    here: Site, table: Any, named: str
) -> None:
    whole = trips("2024-01", 50)
    columns = {name: str(dtype) for name, dtype in whole.schema.items()}
    here.publish("2024-01", table(whole), columns=columns, rows=50)
    pinned = dataset.resolve(f"{here.root}/features", "green", "2024-01")
    with pytest.raises(InputError, match=named) as caught:
        dataset.read([pinned])
    assert pinned["uri"] in str(caught.value)


def test_a_file_that_is_not_parquet_is_refused(here: Site) -> None:
    # As contract 1 has it, without a checksum.
    manifest = here.publish("2024-01", trips("2024-01", 50), files=None)
    here.put(manifest["uri"].removeprefix(f"{here.root}/"), b"no Parquet at all, but long enough")
    with pytest.raises(InputError, match=f"{manifest['uri']} cannot be read as Parquet"):
        dataset.read([manifest])


def test_a_server_that_does_not_answer_is_worth_a_retry(site: Site) -> None:
    # Port 9 (discard) has no listener.
    with (
        site.with_environment(AWS_ENDPOINT_URL="http://127.0.0.1:9").here(),
        pytest.raises(StorageUnavailableError, match=r"http://127\.0\.0\.1:9 does not answer"),
    ):
        dataset.resolve(f"{site.root}/features", "green", "2024-01")


def test_months_that_are_made_up_are_known_where_the_data_team_says_so() -> None:
    real = {"month": "2023-12", "source": "tlc", "made_up": False}
    unknown = {"month": "2023-11"}
    of_contract_1 = {"month": "2024-01", "source": "generator"}
    generated = {"month": "2024-02", "made_up": True}
    plan = split.Split(
        cab="green", train=[unknown, real, of_contract_1], test=generated,
        validate_from=datetime(2024, 1, 25), held_out_from=None,
    )  # fmt: skip

    assert split.made_up(plan) == ["2024-01", "2024-02"]


def test_a_folder_serves_as_well_as_a_bucket(tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/predictions/green/current.json"
    storage.write_json(uri, {"month": "2024-01"})
    assert storage.read_json(uri) == {"month": "2024-01"}
    with pytest.raises(storage.NoObjectError, match=r"nothing\.json"):
        storage.read_json(f"file://{tmp_path}/nothing.json")

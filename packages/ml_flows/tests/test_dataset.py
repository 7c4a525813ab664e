"""The agreement with the data team: what is refused, in which words, and which rows are read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
import pytest
from ml_flows import dataset, storage
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
        "contract": 1, "cab": "green", "month": "2024-01", "version": "v", "uri": "s3://b/x.parquet",
        "rows": 3, "columns": COLUMNS,
    }  # fmt: skip
    return {name: value for name, value in (agreed | changes).items() if value is not ...}


def test_what_was_agreed_is_accepted_with_more_columns_and_fields() -> None:
    manifest = _manifest(noted={"null_passenger_count": 2})
    assert dataset.check_manifest(manifest, URI, cab="green", month="2024-01") == manifest


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"contract": 2}, "contract 2"),
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
        dataset.check_manifest(_manifest(**changes), URI, cab="green", month="2024-01")
    assert URI in str(caught.value)
    assert named in str(caught.value)


@pytest.mark.parametrize("text", ["", " , ", "2024-13", "2023-12,January", "2024-1"])
def test_months_that_are_none_are_refused_with_the_parameters_name(text: str) -> None:
    with pytest.raises(InputError, match="train_months"):
        dataset.parse_months(text, "train_months")


def test_months_are_sorted_and_counted_once() -> None:
    assert dataset.parse_months(" 2024-01,2023-12, 2024-01", "x") == ["2023-12", "2024-01"]


@pytest.mark.parametrize(
    ("month", "start"), [("2024-02", (2024, 2, 23)), ("2023-12", (2023, 12, 25))]
)
def test_the_last_seven_days(month: str, start: tuple[int, int, int]) -> None:
    assert dataset.last_days(month) == datetime(*start)


@pytest.fixture
def here(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The test's world, for this process too."""
    _use(site, monkeypatch)
    return site


def _use(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name, value in site.environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    storage.client.cache_clear()


def test_only_the_needed_columns_are_read_and_the_test_week_is_apart(here: Site) -> None:
    here.publish("2023-12", trips("2023-12", 2000))
    split = dataset.plan_split(f"{here.root}/features", "green", "2023-12", "")
    train, test = dataset.read_train(split), dataset.read_test(split)
    assert set(train.columns) == set(dataset.COLUMNS)
    assert train.height + test.height == 2000
    assert train["pickup_at"].max() < datetime(2023, 12, 25) <= test["pickup_at"].min()  # type: ignore[operator]


def test_a_sample_takes_from_each_month_by_its_share_and_is_the_same_for_a_seed(
    here: Site,
) -> None:
    for month, rows in (("2023-11", 1000), ("2023-12", 3000)):
        here.publish(month, trips(month, rows))
    split = dataset.plan_split(f"{here.root}/features", "green", "2023-12,2023-11", "")
    first, again, other = (
        dataset.read(split["train"], max_rows=400, seed=seed) for seed in (1, 1, 2)
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


def test_a_month_to_test_on_may_not_be_learned_from(here: Site) -> None:
    with pytest.raises(InputError, match="test_month 2024-01 is also among train_months"):
        dataset.plan_split(here.root, "green", "2023-12,2024-01", "2024-01")


def test_a_manifest_whose_file_is_gone_is_refused_by_the_files_uri(here: Site) -> None:
    uri = f"{here.root}/features/green/2024-01/gone/features.parquet"
    here.publish("2024-01", trips("2024-01", 10), uri=uri)
    with pytest.raises(InputError, match=uri):
        dataset.resolve(f"{here.root}/features", "green", "2024-01")


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
    manifest = here.publish("2024-01", trips("2024-01", 50))
    here.put(manifest["uri"].removeprefix(f"{here.root}/"), b"no Parquet at all, but long enough")
    with pytest.raises(InputError, match=f"{manifest['uri']} cannot be read as Parquet"):
        dataset.read([manifest])


def test_a_server_that_does_not_answer_is_worth_a_retry(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Port 9 (discard) has no listener.
    _use(site.with_environment(AWS_ENDPOINT_URL="http://127.0.0.1:9"), monkeypatch)
    with pytest.raises(StorageUnavailableError, match=r"http://127\.0\.0\.1:9 does not answer"):
        dataset.resolve(f"{site.root}/features", "green", "2024-01")


def test_months_that_are_made_up_are_known_where_the_data_team_says_so() -> None:
    real: dataset.Manifest = {"month": "2023-12", "source": "tlc"}
    unknown: dataset.Manifest = {"month": "2023-11"}
    generated: dataset.Manifest = {"month": "2024-01", "source": "generator"}
    split = dataset.Split(cab="green", train=[unknown, real], test=generated, held_out_from=None)

    assert dataset.made_up(split) == ["2024-01"]
    assert dataset.made_up({**split, "test": None}) == []

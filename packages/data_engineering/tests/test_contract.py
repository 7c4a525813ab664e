"""Months and names."""

from __future__ import annotations

import pytest
from data_engineering.contract import months as contract
from data_engineering.errors import BadInputError


def test_months_follow_each_other_over_the_year() -> None:
    assert contract.month_before("2024-01") == "2023-12"
    assert contract.month_after("2023-12") == "2024-01"
    assert contract.month_before("2024-12") == "2024-11"
    assert contract.month_after("2024-09") == "2024-10"


def test_train_months_are_the_month_before_unless_asked_for() -> None:
    assert contract.train_months("2024-01", None) == ["2023-12"]
    assert contract.train_months("2024-01", []) == ["2023-12"]
    assert contract.train_months("2024-01", ["2023-12", "2023-11", "2023-12"]) == [
        "2023-11",
        "2023-12",
    ]


@pytest.mark.parametrize("month", ["2024-1", "2024-13", "2024-00", "24-01", "", "2024-01-01"])
def test_what_is_no_month_is_refused(month: str) -> None:
    with pytest.raises(BadInputError, match="YYYY-MM"):
        contract.check_month(month)


def test_file_names_are_tlcs() -> None:
    assert contract.file_name("yellow", "2025-02") == "yellow_tripdata_2025-02.parquet"
    with pytest.raises(BadInputError, match="cab is 'blue': it must be green or yellow"):
        contract.file_name("blue", "2025-02")


def test_a_span_of_months_has_both_ends() -> None:
    assert contract.months_in("2023-11..2024-02") == ["2023-11", "2023-12", "2024-01", "2024-02"]
    assert contract.months_in("2024-01") == ["2024-01"]
    assert len(contract.months_in("2019-01..2025-12")) == 84
    with pytest.raises(BadInputError, match=r"2024-02 is after 2024-01"):
        contract.months_in("2024-02..2024-01")


@pytest.mark.parametrize(("cab", "first"), [("green", "2013-08"), ("yellow", "2009-01")])
def test_months_before_tlcs_first_are_refused(cab: str, first: str) -> None:
    assert contract.check_published(cab, first) == first
    with pytest.raises(BadInputError, match=f"TLC's begin with {first}"):
        contract.check_published(cab, contract.month_before(first))


def test_made_up_trips_have_a_root_of_their_own() -> None:
    assert contract.root_for("generator", "s3://trip-data/") == "s3://trip-data/made-up"
    assert {contract.root_for(s, "/r") for s in ("", None, "tlc", "/files")} == {"/r"}

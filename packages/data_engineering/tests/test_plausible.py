"""When a month is not believed."""

from __future__ import annotations

from typing import Any

import pytest
from data_engineering.contract.plausible import Limits, doubts
from data_engineering.errors import BadInputError

USUAL: dict[str, Any] = {
    "month": "2024-01",
    "read": 56_551,
    "kept": 52_199,
    "other_month": 2,
    "missing_days": [],
    "around": {"2023-12": 58_691, "2024-02": 50_000},
    "limits": Limits(),
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({"around": {}}, []),
        ({"missing_days": [25]}, []),
        ({"missing_days": [1, 2, 3, 25]}, ["4 days have no trip: 1-3, 25 (1 at most)"]),
        (
            {"other_month": 56_000, "kept": 13},
            [
                "99.0% of its rows are of other months than 2024-01 (2.0% at most)",
                "100.0% of its rows are set aside (25.0% at most)",
                "13 trips are 0.00 times the 54,346 of the months around (2023-12, 2024-02; 0.5 "
                "to 2 times are usual)",
            ],
        ),
        ({"kept": 30_000}, ["47.0% of its rows are set aside (25.0% at most)"]),
        (
            {"read": 170_000, "kept": 160_000},
            [
                "160,000 trips are 2.94 times the 54,346 of the months around (2023-12, 2024-02; "
                "0.5 to 2 times are usual)"
            ],
        ),
        ({"kept": 30_000, "limits": Limits(max_set_aside=0.5)}, []),
    ],
)
def test_what_is_unusual_is_said_with_what_is_allowed(changed, said) -> None:
    assert doubts(**{**USUAL, **changed}) == said


def test_limits_come_from_the_environment() -> None:
    given = {"TRIP_DATA_MAX_SET_ASIDE": "0.4", "TRIP_DATA_MAX_MISSING_DAYS": "3"}
    assert Limits.of(given) == Limits(max_set_aside=0.4, max_missing_days=3)
    assert Limits.of({}) == Limits()


@pytest.mark.parametrize("text", ["much", "-1", "nan"])
def test_a_limit_that_is_no_number_is_named(text: str) -> None:
    with pytest.raises(BadInputError, match=f"TRIP_DATA_MAX_SET_ASIDE is '{text}'"):
        Limits.of({"TRIP_DATA_MAX_SET_ASIDE": text})

"""A step outlives servers that are away for minutes, and does not wait without end."""

from itertools import pairwise

import pytest
from metaflow_airflow.runtime.failures import LaunchError
from metaflow_airflow.runtime.outages import VARIABLE, delays, patience, service_requests


def test_a_step_waits_ten_minutes_unless_told_otherwise():
    assert patience({}) == patience({VARIABLE: ""}) == 600
    assert patience({VARIABLE: "5"}) == 5


@pytest.mark.parametrize("said", ["soon", "-1", "inf", "nan"])
def test_what_is_no_time_is_named(said):
    with pytest.raises(LaunchError, match=f"{VARIABLE} is '{said}'"):
        patience({VARIABLE: said})


@pytest.mark.parametrize("seconds", [0, 1, 5, 600])
def test_questions_come_less_often_and_end_in_time(seconds):
    found = list(delays(seconds))

    assert sum(found) == seconds
    assert all(each <= 60 for each in found)
    assert all(later >= earlier for earlier, later in pairwise(found[:-1]))


@pytest.mark.parametrize("seconds", [0, 1, 2, 31, 300, 600])
def test_metaflow_asks_its_service_for_that_long_and_no_more_often_than_needed(seconds):
    """As service.py of 2.19 waits: 2**i seconds after request i but the last."""
    requests = service_requests(seconds)

    assert sum(2**i for i in range(requests - 1)) >= seconds
    assert sum(2**i for i in range(requests - 2)) < max(seconds, 1)

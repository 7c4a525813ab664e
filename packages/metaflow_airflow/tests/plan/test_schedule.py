import pytest
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.plan.dag import Schedule
from metaflow_airflow.plan.schedule import read_schedule


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"daily": True}, Schedule("0 0 * * *")),
        ({"hourly": True, "daily": True}, Schedule("0 * * * *")),
        ({"weekly": True, "daily": True}, Schedule("0 0 * * 0")),
        ({"cron": "*/5 2 * * 1-5"}, Schedule("*/5 2 * * 1-5")),
        ({"cron": "0 10 ? * MON-FRI *"}, Schedule("0 10 * * MON-FRI")),
        ({"cron": "0 10 ? * 2-6 *"}, Schedule("0 10 * * 1-5")),
        ({"cron": "0 10 ? * 1-7/2 *"}, Schedule("0 10 * * 0-6/2")),
        (
            {"cron": "0 6 * * *", "timezone": "America/New_York"},
            Schedule("0 6 * * *", "America/New_York"),
        ),
        ({}, None),
    ],
)
def test_schedules(attributes, expected):
    assert read_schedule(attributes) == expected


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"cron": "0 6 * *"}, "4 fields"),
        ({"cron": "0 6 L * ? *"}, "cannot be said"),
        ({"cron": "0 6 * * ? 2027"}, "cannot be said"),
        ({"daily": True, "timezone": "Mars/Olympus"}, "no such time zone"),
    ],
)
def test_what_airflow_cannot_say_is_refused(attributes, text):
    with pytest.raises(BridgeError, match=text):
        read_schedule(attributes)

import pytest
from airflow.timetables.trigger import CronTriggerTimetable
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
        ({"cron": "0 10 ? * WED *"}, Schedule("0 10 * * WED")),
        ({"cron": "0 0 1 JUL ? *"}, Schedule("0 0 1 JUL *")),
        ({"cron": "0 0 1 jan,jul *"}, Schedule("0 0 1 JAN,JUL *")),
        ({"cron": "0/10 * 1/5 1/3 ? *"}, Schedule("0/10 * 1/5 1/3 *")),
        ({"cron": "0 6 L * ? *"}, Schedule("0 6 L * *")),
        ({"cron": "0 6 ? * 6L *"}, Schedule("0 6 * * L5")),
        ({"cron": "0 6 ? * FRIL *"}, Schedule("0 6 * * L5")),
        ({"cron": "0 6 ? * L *"}, Schedule("0 6 * * 6")),
        ({"cron": "0 6 ? * 3#2,FRI#1 *"}, Schedule("0 6 * * 2#2,FRI#1")),
        ({"cron": "0 6 * * 5L"}, Schedule("0 6 * * L5")),
        ({"cron": "0 6 * * 0,7"}, Schedule("0 6 * * 0,7")),
        ({"cron": "0 22-2 * * FRI-MON"}, Schedule("0 22-2 * * FRI-MON")),
        ({"cron": "@monthly"}, Schedule("0 0 1 * *")),
        (
            {"cron": "0 6 * * *", "timezone": "America/New_York"},
            Schedule("0 6 * * *", "America/New_York"),
        ),
        ({}, None),
    ],
)
def test_schedules(attributes, expected):
    assert read_schedule(attributes) == expected
    if expected:
        timetable = CronTriggerTimetable(expected.cron, timezone=expected.timezone)
        timetable.validate()
        assert timetable.description, "Airflow has words for it"


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"cron": "0 6 * *"}, "4 fields"),
        ({"cron": "0 6 15W * ? *"}, "15W for the day of month: Airflow's cron cannot say W"),
        ({"cron": "0 6 * * ? 2027"}, "2027 for the year"),
        ({"cron": "61 * * * *"}, "61 for the minute: no cron takes that"),
        ({"cron": "R * * * *"}, "cannot say R"),
        ({"cron": "0 6 * MON *"}, "cannot say MON there"),
        ({"cron": "0 6 * * 2#6"}, "2#6 for the day of week"),
        ({"cron": "0 0 30 2 *"}, "day 30 of month 2, which never comes"),
        ({"cron": "noon"}, "1 fields"),
        ({"daily": True, "timezone": "Mars/Olympus"}, "no such time zone"),
    ],
)
def test_what_airflow_cannot_say_is_refused(attributes, text):
    with pytest.raises(BridgeError, match=text):
        read_schedule(attributes)

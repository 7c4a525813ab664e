"""What the bridge takes from outside where Python 3.10 has it not."""

import asyncio
import time
from datetime import datetime, timezone

import pytest
from metaflow_airflow.compat.python import parse_time, postpone, timeout


@pytest.mark.parametrize("text", ["2026-03-04T05:06:07Z", "2026-03-04T06:06:07+01:00"])
def test_parse_time(text):
    assert parse_time(text) == datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone.utc)


def test_parse_time_of_what_is_none():
    with pytest.raises(ValueError, match="yesterday"):
        parse_time("yesterday")


def test_postpone():
    async def wait():
        loop = asyncio.get_running_loop()
        async with timeout(0.01) as limit:
            postpone(limit, loop.time() + 0.2)
            await asyncio.sleep(10)

    begun = time.monotonic()
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(wait())

    assert 0.2 <= time.monotonic() - begun < 5

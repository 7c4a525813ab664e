"""A run's end is told by Airflow's own notifiers, to a real server."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from http_receiver import receiving

from .conftest import FLOWS

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def alerts(bridge):
    """What the connection `alerts` of the flow's notifiers leads to; `nowhere` leads to nobody."""
    with receiving() as receiver:
        port = urlsplit(receiver.url).port
        for name, where in (("alerts", port), ("nowhere", 9)):
            bridge.client._json(
                "POST",
                "connections",
                json={
                    "connection_id": name, "conn_type": "http", "host": "127.0.0.1", "port": where,
                },
            )  # fmt: skip
        bridge.export(FLOWS / "notified.py")
        yield receiver


@pytest.mark.parametrize(("fails", "end"), [(True, "failed"), (False, "succeeded")])
def test_an_end_is_told_to_those_who_asked_for_it(bridge, alerts, fails, end):
    run_id = bridge.start("Notified", {"fails": fails})
    bridge.wait("Notified", run_id, expect="failed" if fails else "success")

    told = alerts.wait_for(lambda each: run_id in str(each.body), f"word of {run_id}")

    assert told.path == f"/{end}"
    assert told.body["text"].startswith(f"Notified {run_id}")
    assert not any(each.path == "/lost" for each in alerts.received)

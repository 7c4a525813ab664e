"""What compat/metaflow_current.py takes from Metaflow is still there."""

from metaflow_airflow.compat import metaflow_current as upstream


def test_set_current():
    from metaflow import current

    upstream.set_current("airflow_test", 3)
    assert current.airflow_test == 3
    upstream.set_current("airflow_test", None)
    assert "airflow_test" not in current


def test_trigger_of():
    older = {"timestamp": 1, "id": "a", "name": "rides", "type": "event", "payload": {"x": 1}}
    newer = {**older, "timestamp": 2, "id": "b", "payload": None}

    trigger = upstream.trigger_of([older, newer])

    assert [(event.id, event.payload) for event in trigger.events] == [("b", None), ("a", {"x": 1})]
    assert trigger.event.timestamp.timestamp() == 2
    assert trigger["rides"].id == "b"


def test_set_retry_count():
    from metaflow import current

    upstream.set_retry_count(2)
    assert current.retry_count == 2
    upstream.set_retry_count(0)

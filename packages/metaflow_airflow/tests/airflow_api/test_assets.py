"""Events published by Python and by the command, against an API that answers like Airflow's."""

import pytest
from metaflow_airflow import events
from metaflow_airflow.airflow_api.client import AirflowClient


@pytest.fixture
def published(monkeypatch):
    """What reached Airflow; it has the assets "rides" and s3://lake/trips."""
    sent = []
    assets = [
        {"id": 1, "name": "rides_of_old", "uri": "rides_of_old"},
        {"id": 2, "name": "rides", "uri": "rides"},
        {"id": 3, "name": "trips", "uri": "s3://lake/trips"},
    ]
    monkeypatch.setenv("METAFLOW_AIRFLOW_REST_API_URL", "http://airflow")
    monkeypatch.setenv("METAFLOW_AIRFLOW_REST_API_TOKEN", "token")
    monkeypatch.setattr(AirflowClient, "assets", lambda self, query: iter(assets))
    monkeypatch.setattr(AirflowClient, "publish", lambda self, event: sent.append(event))
    return sent


def test_an_event_carries_what_argo_events_carry_and_its_own_fields(published):
    event_id = events.publish("rides", {"month": "2024-01"}, partition_key="green/2024-01")

    [event] = published
    assert (event["asset_id"], event["partition_key"]) == (2, "green/2024-01")
    assert event["extra"]["id"] == event_id
    assert event["extra"].items() >= {"name": "rides", "month": "2024-01"}.items()
    assert type(event["extra"]["timestamp"]) is int


def test_an_event_that_nobody_waits_for_is_logged_and_fails_nothing(published, caplog):
    assert events.publish("unheard") is None
    assert "Event unheard was not published: no DAG in Airflow at http://airflow" in caplog.text


def test_the_command_takes_texts_and_json(published, capsys):
    words = ["s3://lake/trips/", "month=2024-01", "--json", '{"rows": 3}', "--partition", "a"]
    assert events.main(words) == 0
    [event] = published
    assert (event["asset_id"], event["partition_key"]) == (3, "a")
    assert event["extra"].items() >= {"month": "2024-01", "rows": 3}.items()
    assert capsys.readouterr().out.strip() == event["extra"]["id"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["rides", "month"], "'month' is no FIELD=VALUE"),
        (["rides", "--json", "[1]"], "--json must be an object"),
        (["rides", "--json", "{"], "--json is no JSON"),
    ],
)
def test_what_is_no_payload_is_refused(published, capsys, words, sentence):
    with pytest.raises(SystemExit):
        events.main(words)
    assert sentence in capsys.readouterr().err
    assert published == []


def test_the_command_fails_where_python_only_logs(published, capsys):
    assert events.main(["unheard"]) == 1
    assert "Event unheard was not published" in capsys.readouterr().err

"""ArgoEvent's webhook inside Airflow's own API server: who may publish, and what comes of it."""

import json
import subprocess
import sys

import pytest

# In a Python of its own: Airflow reads its settings at import.
_SERVER = """
import json, os, sys

from airflow import settings
from airflow.api_fastapi.app import cached_app
from airflow.models import import_all_models
from airflow.models.asset import AssetActive, AssetEvent, AssetModel
from airflow.models.base import Base
from airflow.utils.session import create_session
from fastapi.testclient import TestClient

import_all_models()
Base.metadata.create_all(settings.engine)
with create_session() as session:
    for name in ("rides_of_old", "rides"):
        asset = AssetModel(name=name, uri=name)
        session.add(asset)
        session.flush()
        session.add(AssetActive.for_asset(asset))
client = TestClient(cached_app())
said = {}
for case, (headers, body) in json.loads(sys.argv[1]).items():
    answer = client.post("/metaflow-events/publish", headers=headers, json=body)
    said[case] = (answer.status_code, answer.text)
with create_session() as session:
    said["events"] = [(event.asset.name, event.extra) for event in session.query(AssetEvent)]
print("ANSWER" + json.dumps(said))
"""
RIDES = {"name": "rides", "payload": {"id": "x", "month": "2024-01"}}
CASES = {
    "nobody": ({}, RIDES),
    "a wrong password": ({"x-api-key": "flows:wrong"}, RIDES),
    "a viewer": ({"x-api-key": "eve:secret"}, RIDES),
    "a made-up token": ({"Authorization": "Bearer made.up.token"}, RIDES),
    "a publisher": ({"x-api-key": "flows:secret"}, RIDES),
    "an event that nobody waits for": ({"x-api-key": "flows:secret"}, {"name": "unheard"}),
    "no event": ({"x-api-key": "flows:secret"}, {"payload": {}}),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    home = tmp_path_factory.mktemp("airflow")
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({"flows": "secret", "eve": "secret"}))
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "flows:op,eve:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
    }
    done = subprocess.run(
        [sys.executable, "-c", _SERVER, json.dumps(CASES)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.split("ANSWER")[1])


@pytest.mark.parametrize(
    ("case", "status", "sentence"),
    [
        ("nobody", 401, "METAFLOW_SERVICE_AUTH_KEY=USER:PASSWORD"),
        ("a wrong password", 401, "Airflow refused the event"),
        ("a viewer", 403, "Airflow refused the event"),
        ("a made-up token", 403, "Invalid JWT token"),
        ("a publisher", 200, '"id":"x"'),
        ("an event that nobody waits for", 200, "no DAG waits for unheard"),
        ("no event", 422, "Field required"),
    ],
)
def test_airflows_permissions_decide_who_publishes(said, case, status, sentence):
    assert said[case][0] == status
    assert sentence in said[case][1]


def test_only_what_may_be_published_is_and_once(said):
    [(name, extra)] = said["events"]
    assert name == "rides"
    assert extra.items() >= {"id": "x", "month": "2024-01"}.items()

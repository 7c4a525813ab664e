"""What Airflow's own application answers a browser that another site sends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from airflow_service.settings import AirflowSettings, airflow_environment

PROGRAM = """
from airflow.api_fastapi.app import create_app
from starlette.testclient import TestClient
client = TestClient(create_app(apps="core"), raise_server_exceptions=False)
other = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
for answer in (
    client.get("/", headers=other),
    client.options("/api/v2/dags", headers=other),
    client.post("/api/v2/connections", headers=other, json={"connection_id": "x"}),
    client.post("/api/v2/connections", headers=other, data="connection_id=x"),
):
    named = answer.headers.get("access-control-allow-origin")
    print("found", answer.status_code, answer.headers["x-frame-options"], named)
"""


def test_another_site_may_neither_frame_a_page_nor_ask_for_a_person(
    settings: AirflowSettings, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    environment = airflow_environment(settings)
    environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{tmp_path}/airflow.db"
    clean = {k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW__")}

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=clean | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    found = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("found ")]
    assert len(found) == 4, done.stderr[-3000:]
    assert {frame for _, frame, _ in found} == {"SAMEORIGIN"}
    # No answer names another origin, and none changes anything without a login.
    assert {origin for *_, origin in found} == {"None"}
    assert {status for status, *_ in found[2:]} == {"401"}

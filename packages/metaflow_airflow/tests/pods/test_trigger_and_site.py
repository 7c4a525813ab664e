"""What the site decides of a trigger's pods: their bounds, and how Airflow signs in."""

import json
import os

from .fake import NAMESPACE
from .on_fake import DONE
from .triggers import (
    begun,
    first_event,
    trigger,
)


def test_a_pod_beyond_the_sites_bounds_is_refused_at_once(play, monkeypatch):
    async def scenario(server):
        monkeypatch.setenv("METAFLOW_AIRFLOW_POD_NAMESPACES", "elsewhere")
        found = await first_event(trigger())
        assert f"names the namespace {NAMESPACE}" in found.payload["sentence"]
        assert "create" not in server.seen
        assert server.pods == {}

    play(scenario)


def test_a_token_that_was_renewed_in_its_file_is_taken(play, tmp_path, monkeypatch):
    async def scenario(server):
        renewed = tmp_path / "token"
        renewed.write_text("first")
        connection = json.loads(os.environ["AIRFLOW_CONN_CLUSTER_OF_TESTS"])
        config = json.loads(connection["extra"]["kube_config"])
        config["users"] = [{"name": "it", "user": {"tokenFile": str(renewed)}}]
        connection["extra"]["kube_config"] = json.dumps(config)
        monkeypatch.setenv("AIRFLOW_CONN_CLUSTER_OF_TESTS", json.dumps(connection))
        server.token = "first"
        event, name = await begun(server, trigger())
        renewed.write_text("second")
        server.token = "second"
        server.container(name, {"terminated": DONE}, phase="Succeeded")
        assert type(await event).__name__ == "TaskSuccessEvent"

    play(scenario)

import asyncio
import json
import os
from pathlib import Path

import pytest
from metaflow_airflow.operators import site

from .fake import NAMESPACE, FakeApiServer
from .triggers import Supervisor


@pytest.fixture(scope="session")
def kubeconfig():
    """The path of $KUBECONFIG, where a cluster answers; skips elsewhere."""
    path = os.environ.get("KUBECONFIG", "")
    if not path or not Path(path).is_file():
        pytest.skip("no Kubernetes cluster: set KUBECONFIG to the file of a test cluster")
    return path


@pytest.fixture
def supervisor(monkeypatch):
    from airflow.sdk.execution_time import task_runner

    supervisor = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    site.this_site.cache_clear()
    yield supervisor
    site.this_site.cache_clear()


@pytest.fixture
def play(supervisor, monkeypatch, tmp_path):
    """Plays a scenario with a server and a function that starts a trigger."""

    def play(scenario):
        async def main():
            server = FakeApiServer()
            async with server.serve():
                config = {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "it",
                    "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
                    "clusters": [{"name": "it", "cluster": {"server": server.url}}],
                    "users": [{"name": "it", "user": {"token": "any"}}],
                }
                extra = {"kube_config": json.dumps(config), "namespace": NAMESPACE}
                connection = {"conn_type": "kubernetes", "extra": extra}
                monkeypatch.setenv("AIRFLOW_CONN_CLUSTER_OF_TESTS", json.dumps(connection))
                await asyncio.wait_for(scenario(server), 60)

        asyncio.run(main())

    return play

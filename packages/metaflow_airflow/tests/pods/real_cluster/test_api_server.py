"""The API server dies in the middle of a step and comes back: a real one, beside the cluster's."""

import asyncio
import socket
import subprocess

import httpx
import psutil
import pytest
from metaflow_airflow.pods.cluster import Cluster
from metaflow_airflow.pods.watch import PodWatch

from .real import NAMESPACE, on_cluster, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


class ApiServer:
    """A second API server on the cluster's own store, which may be killed without harm to others.

    Its options are those of the cluster's own server, where that runs on this machine.
    """

    def __init__(self, folder):
        self.port = free_port()
        self._log = (folder / "kube-apiserver.log").open("ab")
        self._command = [
            *own_command("kube-apiserver", without=("--secure-port", "--bind-address")),
            f"--secure-port={self.port}",
            "--bind-address=127.0.0.1",
        ]
        self._process = None

    async def start(self):
        self._process = subprocess.Popen(self._command, stdout=self._log, stderr=self._log)
        async with httpx.AsyncClient(verify=False, trust_env=False) as client:  # noqa: S501
            deadline = asyncio.get_running_loop().time() + 60
            while not await self._answers(client):
                assert self._process.poll() is None, "the second API server ended"
                assert asyncio.get_running_loop().time() < deadline, "it was not ready in 60 s"
                await asyncio.sleep(0.2)

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def _answers(self, client):
        try:
            answer = await client.get(f"https://127.0.0.1:{self.port}/readyz")
        except httpx.HTTPError:
            return False
        # Anonymous requests may be refused: then it is there to refuse them.
        return answer.status_code in (200, 401, 403)


def own_command(name, without):
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == name:
            words = process.info["cmdline"]
            return [word for word in words if word.partition("=")[0] not in without]
    pytest.skip(f"the cluster's {name} does not run on this machine")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def server(kubeconfig, tmp_path):
    server = ApiServer(tmp_path)
    yield server
    server.kill()


def test_an_api_server_that_is_killed_and_started_again_loses_no_line_and_no_step(
    kubeconfig, server
):
    async def scenario(site):
        await server.start()
        await site.wire.lead_to("127.0.0.1", server.port)
        script = "for i in $(seq 1 60); do echo $i; sleep 0.5; done"
        running = asyncio.create_task(site.life(script).run())
        await site.until_line("5")
        server.kill()
        await until(lambda: any("does not answer" in text for text in site.said), "the silence")
        await server.start()
        ending = await running
        assert ending.kind == "exit"
        assert [text for _, text in site.lines] == [str(n) for n in range(1, 61)]
        assert any("answers again" in text for text in site.said)

    on_cluster(kubeconfig, scenario)


class LateCluster(Cluster):
    """Begins its first watch at a version that a server forgot, or never saw."""

    def __init__(self, api, namespace, url):
        super().__init__(api, namespace, url)
        self.asked = []

    async def watch(self, selector, version):
        self.asked.append(version if self.asked else "1")
        async for change in super().watch(selector, self.asked[-1]):
            yield change


def test_a_watch_whose_version_has_expired_begins_anew(kubeconfig, server):
    async def scenario(site):
        # A server that has just begun knows no change before its beginning.
        await server.start()
        await site.wire.lead_to("127.0.0.1", server.port)
        cluster = LateCluster(site.hub.cluster._api, NAMESPACE, site.hub.cluster.url)
        watch = PodWatch(cluster, f"metaflow-airflow/site={site.site}")
        watch.start()
        await until(lambda: len(cluster.asked) > 1, "the second watch")
        assert watch.problem is None, "what has expired is no outage"
        await site.life("echo here").run()
        await until(lambda: watch.pods, "the pod in the new watch")
        await watch.stop()

    on_cluster(kubeconfig, scenario)

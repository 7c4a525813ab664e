"""A real cluster for tests: a namespace of their own, and a way to it that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from metaflow_airflow.pods.cluster import Cluster
from metaflow_airflow.pods.hub import Hub
from metaflow_airflow.pods.life import PodLife
from metaflow_airflow.pods.limits import Slots
from metaflow_airflow.pods.names import PodIdentity
from metaflow_airflow.pods.patience import Limits
from metaflow_airflow.pods.room import NEEDS_ANNOTATION, needs

IMAGE = "alpine:3.22"
NAMESPACE = "metaflow-airflow-tests"


class Wire:
    """A TCP relay to the API server."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._connections: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def lead_to(self, host: str, port: int) -> None:
        """Lead elsewhere from now on; what is under way breaks off."""
        await self.cut()
        self._target = (host, port)
        await self.open()

    async def cut(self) -> None:
        """Nothing gets through, and what is under way breaks off."""
        assert self._server
        self._server.close()
        for writer in list(self._connections):
            writer.transport.abort()

    async def close(self) -> None:
        """Cut it for good; asyncio complains of what is still under way at the loop's end."""
        await self.cut()
        await until(lambda: not self._connections, "the end of the connections")

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._target)
        self._connections |= {writer, back}
        try:
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        finally:
            self._connections -= {writer, back}


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()


@dataclass
class Site:
    """One installation's hub on the real cluster, and what its steps said."""

    hub: Hub
    wire: Wire
    site: str
    api: Any
    wanted: set[str] = field(default_factory=set)
    lines: list[tuple[str, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def identity(self, task: str = "step", *, map_index: int = -1, number: int = 1) -> PodIdentity:
        return PodIdentity(
            self.site, "dag", "run", task, map_index, number, f"{task}-{map_index}-{number}"
        )

    def life(
        self, script: str, identity: PodIdentity | None = None, *, limits: Limits | None = None,
        change: Any = None, manifest: dict[str, Any] | None = None,
    ) -> PodLife:  # fmt: skip
        """A step that is a shell script; `change` gets the pod's spec. Or any other manifest."""
        identity = identity or self.identity()
        manifest = manifest or {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": identity.name,
                "labels": identity.labels,
                "annotations": dict(identity.annotations),
            },
            "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 2,
                "containers": [
                    {
                        "name": "step",
                        "image": IMAGE,
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["sh", "-c", script],
                        "resources": {"requests": {"cpu": "10m"}},
                    }
                ],
            },
        }
        if change:
            change(manifest["spec"])
        manifest["metadata"]["annotations"] |= {NEEDS_ANNOTATION: needs(manifest["spec"])}

        async def wanted() -> bool:
            return True

        return PodLife(
            self.hub, identity, manifest,
            limits=limits or Limits(),
            on_line=lambda at, text: self.lines.append((at, text)),
            say=self.said.append,
            still_wanted=wanted,
        )  # fmt: skip

    async def until_line(self, text: str, within: float = 60) -> None:
        await until(lambda: text in [line for _, line in self.lines], f"the line {text}", within)

    async def pods(self) -> list[str]:
        """Names of this site's pods, as the cluster has them."""
        found, _ = await self.hub.cluster.pods(f"metaflow-airflow/site={self.site}")
        return [pod["metadata"]["name"] for pod in found]

    async def stop(self) -> None:
        """As a triggerer that is killed: nothing is cleaned up."""
        await self.hub.stop()


async def until(condition: Any, what: str, within: float = 60) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {within} s"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def sites(kubeconfig: str, count: int = 1) -> AsyncIterator[list[Site]]:
    """Triggerers of one installation, each with a hub and a wire of its own."""
    import kubernetes_asyncio.client as client
    import kubernetes_asyncio.config as config

    name = f"test-{uuid.uuid4().hex[:8]}"
    made: list[Site] = []
    for _ in range(count):
        configuration = client.Configuration()
        await config.load_kube_config(kubeconfig, client_configuration=configuration)
        address = urlsplit(configuration.host)
        wire = Wire(str(address.hostname), address.port or 443)
        await wire.open()
        configuration.tls_server_name = str(address.hostname)
        configuration.host = f"https://127.0.0.1:{wire.port}"
        api = client.ApiClient(configuration)
        core = client.CoreV1Api(api)
        await _make_namespace(core)
        wanted: set[str] = set()

        async def is_wanted(pod: Any, wanted: set[str] = wanted) -> bool:
            return pod["task_id"] in wanted

        hub = Hub(
            Cluster(core, NAMESPACE, configuration.host), name, is_wanted, Slots(),
            sweep_seconds=0.5, unclaimed_seconds=3.0,
        )  # fmt: skip
        made.append(Site(hub, wire, name, api, wanted))
    try:
        yield made
    finally:
        for site in made:
            await site.stop()
        found, _ = await made[0].hub.cluster.pods(f"metaflow-airflow/site={name}")
        for pod in found:
            metadata = pod["metadata"]
            await made[0].hub.cluster.delete(metadata["name"], uid=metadata["uid"], grace=0)
        for site in made:
            await site.api.close()
            await site.wire.close()


def on_cluster(
    kubeconfig: str, scenario: Callable[..., Coroutine[Any, Any, None]], count: int = 1
) -> None:
    """Play a scenario with as many triggerers as it has arguments."""

    async def main() -> None:
        async with sites(kubeconfig, count) as made:
            await scenario(*made)

    asyncio.run(main())


async def _make_namespace(core: Any) -> None:
    from kubernetes_asyncio.client import ApiException

    try:
        await core.create_namespace({"metadata": {"name": NAMESPACE}})
    except ApiException as error:
        if error.status != 409:
            raise
    deadline = time.monotonic() + 30
    while True:
        try:
            await core.read_namespaced_service_account("default", NAMESPACE)
        except ApiException:
            assert time.monotonic() < deadline, "the namespace got no service account"
            await asyncio.sleep(0.2)
        else:
            return

"""Triggerers of one Airflow before the small API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from kubernetes_asyncio import client
from metaflow_airflow.pods.cluster import Cluster
from metaflow_airflow.pods.hub import Hub
from metaflow_airflow.pods.life import PodLife
from metaflow_airflow.pods.limits import Slots
from metaflow_airflow.pods.names import PodIdentity
from metaflow_airflow.pods.patience import Limits
from metaflow_airflow.pods.room import NEEDS_ANNOTATION, needs
from metaflow_airflow.pods.sign_in import SignIn
from metaflow_airflow.wire.task import StepResult

from .fake import NAMESPACE, FakeApiServer
from .real_cluster.real import until

DONE = {"exitCode": 0, "message": StepResult(ok=True, exit_code=0).to_json()}


class Triggerer:
    """One triggerer's hub, and what its steps said."""

    def __init__(
        self, server: FakeApiServer, cluster: Cluster, *, most: int = 100, unclaimed: float = 60
    ) -> None:
        self.server = server
        self.cluster = cluster
        self.wanted: set[str] = set()
        self.lines: list[str] = []
        self.said: list[str] = []
        self.slots = Slots(most)
        self._unclaimed = unclaimed
        self.hub = self.another_hub("site")

    def another_hub(self, site: str) -> Hub:
        async def is_wanted(pod: Any) -> bool:
            return pod["task_id"] in self.wanted

        return Hub(
            self.cluster,
            site,
            is_wanted,
            self.slots,
            sweep_seconds=0.05,
            unclaimed_seconds=self._unclaimed,
        )

    def identity(
        self, task: str = "step", number: int = 1, run: str = "run", site: str = "site"
    ) -> PodIdentity:
        return PodIdentity(site, "dag", run, task, -1, number, f"{run}-{task}-{number}")

    def life(self, identity: PodIdentity | None = None, **limits: Any) -> PodLife:
        identity = identity or self.identity()
        spec = {"containers": [{"name": "step", "image": "image:1", "resources": {}}]}
        annotations = {**identity.annotations, NEEDS_ANNOTATION: needs(spec)}
        metadata = {
            "name": identity.name,
            "labels": identity.labels,
            "annotations": annotations,
        }

        async def wanted() -> bool:
            return True

        return PodLife(
            self.hub, identity, {"metadata": metadata, "spec": spec},
            limits=Limits(**limits),
            on_line=lambda _, text: self.lines.append(text),
            say=self.said.append,
            still_wanted=wanted,
        )  # fmt: skip

    async def begun(self, identity: PodIdentity | None = None, **limits: Any) -> tuple[str, Any]:
        """A step whose container runs; its pod's name and the task that waits for its end."""
        identity = identity or self.identity()
        ending = asyncio.create_task(self.life(identity, **limits).run())
        await until(lambda: identity.name in self.server.pods, f"pod {identity.name}")
        self.server.container(identity.name, {"running": {}}, phase="Running")
        return identity.name, ending


def on_fake(
    scenario: Callable[..., Coroutine[Any, Any, None]],
    *,
    count: int = 1,
    sign_in: SignIn | None = None,
    **options: Any,
) -> None:
    """Play a scenario with a server and as many triggerers as it has further arguments."""

    async def main() -> None:
        server = FakeApiServer()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(server.serve())
            triggerers = []
            for _ in range(count):
                configuration = client.Configuration(host=server.url)
                api = await stack.enter_async_context(client.ApiClient(configuration))
                cluster = Cluster(client.CoreV1Api(api), NAMESPACE, server.url, sign_in)
                triggerers.append(Triggerer(server, cluster, **options))
                stack.push_async_callback(triggerers[-1].hub.stop)
            await asyncio.wait_for(scenario(server, *triggerers), 60)

    asyncio.run(main())


def stamped(*texts: str, second: int = 0) -> list[str]:
    """Lines of one second, as the API gives them."""
    return [f"2026-11-27T10:00:{second:02d}.{n + 1:09d}Z {text}" for n, text in enumerate(texts)]


def encoded(change: dict[str, Any]) -> bytes:
    return json.dumps(change).encode() + b"\n"

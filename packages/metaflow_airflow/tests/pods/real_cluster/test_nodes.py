"""What a cluster does to a pod by itself: its node goes, or runs short of something."""

import asyncio
import time
import uuid
from contextlib import asynccontextmanager

import pytest
from metaflow_airflow.pods.patience import Limits

from .real import NAMESPACE, on_cluster, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


@asynccontextmanager
async def silent_node(site):
    """A node of the cluster on which nothing runs: what is left of a machine that lost power."""
    import kubernetes_asyncio.client as client

    core = client.CoreV1Api(site.api)
    name = f"silent-{uuid.uuid4().hex[:8]}"
    await core.create_node(client.V1Node(metadata=client.V1ObjectMeta(name=name)))
    try:
        yield core, name
    finally:
        try:
            await core.delete_node(name)
        except client.ApiException as error:
            if error.status != 404:
                raise


async def step_on(site, core, node, **limits):
    """A step that has begun to run there, as the node's kubelet said with its last words."""

    def there(spec):
        spec["nodeName"] = node
        spec["tolerations"] = [{"operator": "Exists", "effect": "NoSchedule"}]

    running = asyncio.create_task(site.life("true", change=there, limits=Limits(**limits)).run())
    await until(lambda: site.hub.watch.pods, "the pod")
    (pod,) = site.hub.watch.pods
    begun = {"name": "step", "image": "alpine:3.22", "imageID": "", "ready": True,
             "restartCount": 0, "state": {"running": {}}}  # fmt: skip
    status = {"phase": "Running", "containerStatuses": [begun]}
    await core.patch_namespaced_pod_status(pod, NAMESPACE, {"status": status})
    return running


def test_a_node_that_is_removed_from_the_cluster_is_told_apart(kubeconfig):
    async def scenario(site):
        async with silent_node(site) as (core, node):
            running = await step_on(site, core, node)
            await core.delete_node(node)
            # Kubernetes itself removes the pods of nodes that are no more, in a minute or so.
            ending = await asyncio.wait_for(running, 150)
            assert (ending.kind, ending.retry) == ("node-gone", True)
            assert f"lost its node {node}" in ending.sentence

    on_cluster(kubeconfig, scenario)


def test_a_node_that_does_not_answer_is_given_up_and_the_next_try_runs(kubeconfig):
    async def scenario(site):
        async with silent_node(site) as (core, node):
            running = await step_on(site, core, node, leaving=3)
            # What the cluster does to a node that it has not heard of for a while.
            taint = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
            await core.patch_node(node, {"spec": {"taints": [taint]}})
            (pod,) = site.hub.watch.pods
            await core.delete_namespaced_pod(pod, NAMESPACE)
            ending = await asyncio.wait_for(running, 60)
            assert (ending.kind, ending.retry) == ("node-gone", True)
            assert f"lost its node {node}" in ending.sentence
            begun = time.monotonic()
            second = site.identity(number=2)
            await site.life("echo later", second, limits=Limits(leaving=3)).run()
            assert site.lines[-1][1] == "later"
            assert time.monotonic() - begun < 60

    on_cluster(kubeconfig, scenario)


def test_an_evicted_pod_says_of_what_the_node_ran_short(kubeconfig):
    async def scenario(site):
        def little_disk(spec):
            spec["containers"][0]["resources"]["limits"] = {"ephemeral-storage": "1Mi"}

        script = "dd if=/dev/zero of=/tmp/much bs=1M count=16; sync; sleep 120"
        ending = await site.life(script, change=little_disk).run()
        assert (ending.kind, ending.retry) == ("evicted", True)
        assert "storage" in ending.sentence

    on_cluster(kubeconfig, scenario)

"""What the owners of a cluster do to pods: containers of their own, quotas, standards."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from metaflow_airflow.plan.step import Pod
from metaflow_airflow.pods.patience import Limits
from metaflow_airflow.pods.spec import manifest
from metaflow_airflow.wire.task import StepTask

from .real import IMAGE, NAMESPACE, on_cluster, until

STEP = StepTask(
    flow="Flow", script="flow.py", code_url="s3://b/code", code_sha="ab", datastore="s3",
    datastore_root="s3://b", step="start", run_id="airflow-01", task_id="t", attempt=0,
)  # fmt: skip

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


def texts(site):
    return [text for _, text in site.lines]


def meshed(spec):
    """As a webhook leaves it: a container before the step's that goes on for ever."""
    proxy = {"name": "proxy", "image": IMAGE, "command": ["sh", "-c", "echo proxy; sleep 600"]}
    spec["containers"].insert(0, proxy)


@pytest.mark.parametrize("code", [0, 3])
def test_only_the_steps_own_container_counts_and_what_outlives_it_is_ended(kubeconfig, code):
    async def scenario(site):
        life = site.life(f"echo the reason; exit {code}", change=meshed)
        begun = time.monotonic()
        ending = await life.run()
        assert ending.kind == "exit"
        assert f"exit code {code}: the reason" in ending.sentence
        assert texts(site) == ["the reason"]
        assert time.monotonic() - begun < 60
        await life.delete()
        await until(lambda: not site.hub.watch.pods, "the pod's end")

    on_cluster(kubeconfig, scenario)


def test_a_pod_that_kubernetes_ended_in_time_says_so_beside_another_container(kubeconfig):
    async def scenario(site):
        def late(spec):
            meshed(spec)
            spec["activeDeadlineSeconds"] = 3

        ending = await site.life("sleep 100", change=late).run()
        assert (ending.kind, ending.retry) == ("deadline", True)

    on_cluster(kubeconfig, scenario)


@asynccontextmanager
async def quota(site, pods):
    import kubernetes_asyncio.client as client

    core = client.CoreV1Api(site.api)
    body = client.V1ResourceQuota(
        metadata=client.V1ObjectMeta(name="few-pods"),
        spec=client.V1ResourceQuotaSpec(hard={"pods": str(pods)}),
    )
    await core.create_namespaced_resource_quota(NAMESPACE, body)
    try:
        deadline = time.monotonic() + 30
        while not (await core.read_namespaced_resource_quota("few-pods", NAMESPACE)).status.hard:
            assert time.monotonic() < deadline, "the quota was not counted"
            await asyncio.sleep(0.1)
        yield
    finally:
        await core.delete_namespaced_resource_quota("few-pods", NAMESPACE)


def test_more_steps_than_a_quota_allows_pods_wait_for_each_other(kubeconfig):
    async def scenario(site):
        async with quota(site, 2):
            lives = [
                site.life("sleep 1; exit 3", site.identity(map_index=n), limits=Limits(pending=60))
                for n in range(6)
            ]

            async def step(life):
                ending = await life.run()
                await life.delete()
                return ending

            endings = await asyncio.gather(*(step(life) for life in lives))
            assert [each.sentence[:11] for each in endings] == ["exit code 3"] * 6

    on_cluster(kubeconfig, scenario)


@asynccontextmanager
async def restricted(site):
    import kubernetes_asyncio.client as client

    core = client.CoreV1Api(site.api)
    label = "pod-security.kubernetes.io/enforce"
    await core.patch_namespace(NAMESPACE, {"metadata": {"labels": {label: "restricted"}}})
    try:
        yield
    finally:
        await core.patch_namespace(NAMESPACE, {"metadata": {"labels": {label: None}}})


@pytest.mark.parametrize(
    ("security", "kind", "says"),
    [
        ({"run_as_user": 1000}, "exit", "exit code"),
        ({}, "configuration", "security_context"),  # this image's user is root
        ({"run_as_user": 0}, "refused", "security_context"),
    ],
)
def test_a_step_passes_the_standard_restricted_or_says_what_to_give(
    kubeconfig, security, kind, says
):
    async def scenario(site):
        async with restricted(site):
            identity = replace(site.identity(), key=f"{site.site}-{kind}")
            pod = Pod(image=IMAGE, pull_policy="IfNotPresent", cpu=0.1, memory=64, disk=16)
            described = manifest(
                replace(pod, security=security),
                STEP,
                name=identity.name,
                namespace=NAMESPACE,
                labels=identity.labels,
                annotations=identity.annotations,
                deadline=None,
            )
            begun = time.monotonic()
            ending = await site.life("", identity, manifest=described).run()
            assert (ending.kind, says in ending.sentence) == (kind, True), ending.sentence
            assert time.monotonic() - begun < 45

    on_cluster(kubeconfig, scenario)


def test_lines_of_a_megabyte_and_much_log_arrive_whole(kubeconfig):
    script = (
        "head -c 1000000 /dev/zero | tr '\\0' x; echo; "
        'awk \'BEGIN {for (n = 0; n < 100000; n++) print "line", n, "of many at once"}\'; '
        "head -c 3000000 /dev/zero | tr '\\0' y; echo; echo end; exit 3"
    )

    async def scenario(site):
        await site.life(script).run()
        whole = texts(site)
        assert "".join(text for text in whole if text.startswith("x")) == "x" * 1_000_000
        assert "".join(text for text in whole if text.startswith("y")) == "y" * 3_000_000
        many = [text for text in whole if text.startswith("line")]
        assert many == [f"line {n} of many at once" for n in range(100_000)]
        assert whole[-1] == "end"

    on_cluster(kubeconfig, scenario)

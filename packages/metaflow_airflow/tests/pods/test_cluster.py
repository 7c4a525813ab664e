"""The way to the API server, over real HTTP: what it answers, and what it does not."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from metaflow_airflow.pods.cluster_errors import ClusterError, ClusterUnreachableError
from metaflow_airflow.pods.sign_in import SignIn

from .fake import quota_conflict, refusal
from .on_fake import on_fake


def pod(name="a", **labels):
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": "step"}]},
    }


def test_a_pod_is_created_once_and_adopted_by_its_name():
    async def scenario(server, one):
        created = await one.cluster.create(pod())
        assert await one.cluster.create(pod()) == created
        assert list(server.pods) == ["a"]

    on_fake(scenario)


def test_a_quota_that_changes_while_it_is_counted_is_no_pod_that_exists():
    async def scenario(server, one):
        server.first("create", quota_conflict)
        with pytest.raises(ClusterError, match="resourcequotas") as told:
            await one.cluster.create(pod())
        assert told.value.busy
        assert "get" not in server.seen

    on_fake(scenario)


def test_a_quota_that_is_used_up_is_told_from_a_right_that_is_missing():
    async def scenario(server, one):
        server.quota = 0
        with pytest.raises(ClusterError, match="exceeded quota") as full:
            await one.cluster.create(pod())
        server.first("create", lambda: refusal(403, "Forbidden", "pods is forbidden: no right"))
        with pytest.raises(ClusterError, match="no right") as forbidden:
            await one.cluster.create(pod())
        assert (full.value.full, full.value.may_pass) == (True, True)
        assert (forbidden.value.full, forbidden.value.may_pass) == (False, False)

    on_fake(scenario)


def test_only_that_pod_is_deleted_and_one_that_is_gone_is_no_error():
    async def scenario(server, one):
        await one.cluster.create(pod())
        await one.cluster.delete("a", uid="another")
        assert list(server.pods) == ["a"]
        await one.cluster.delete("a", uid=server.pods["a"]["metadata"]["uid"])
        await one.cluster.delete("a", uid="gone")
        assert server.pods == {}
        assert await one.cluster.get("a") is None

    on_fake(scenario)


@pytest.mark.parametrize(
    "answer",
    [
        ConnectionError(),
        lambda: web.Response(text="<html>a proxy's own page</html>"),
        lambda: web.Response(text=""),
    ],
)
def test_what_is_no_answer_of_the_api_is_out_of_reach(answer):
    async def scenario(server, one):
        server.first("create", answer)
        with pytest.raises(ClusterUnreachableError):
            await one.cluster.create(pod())

    on_fake(scenario)


def test_a_server_that_does_not_answer_in_time_is_out_of_reach(monkeypatch):
    monkeypatch.setattr("metaflow_airflow.pods.cluster._ANSWER_WITHIN", 0.2)

    async def scenario(server, one):
        server.first("create", 30.0)
        with pytest.raises(ClusterUnreachableError, match=server.url):
            await one.cluster.create(pod())

    on_fake(scenario)


def test_a_proxys_page_with_an_error_is_passed_on():
    async def scenario(server, one):
        server.first("create", lambda: web.Response(status=502, text="Bad Gateway"))
        with pytest.raises(ClusterError, match="Bad Gateway") as told:
            await one.cluster.create(pod())
        assert told.value.busy

    on_fake(scenario)


def test_a_token_that_has_expired_is_replaced_once_for_all_that_ask():
    reached: list[Any] = []
    signed_in: list[str] = []

    async def sign_in():
        await asyncio.sleep(0.05)
        (configuration,) = reached
        configuration.api_key["BearerToken"] = "Bearer new"
        signed_in.append("again")

    async def scenario(server, one):
        server.token = "new"
        reached.append(one.cluster._api.api_client.configuration)
        await asyncio.gather(*(one.cluster.create(pod(f"pod-{n}")) for n in range(20)))
        assert len(server.pods) == 20
        assert signed_in == ["again"]

    on_fake(scenario, sign_in=SignIn(sign_in))


def test_a_token_that_cannot_be_renewed_is_an_outage_and_no_refusal():
    async def sign_in():
        raise RuntimeError("the cloud is away")

    async def scenario(server, one):
        server.token = "new"
        asked = [one.cluster.create(pod(f"pod-{n}")) for n in range(3)]
        for told in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(told, ClusterUnreachableError)
            assert "the cloud is away" in str(told)

    on_fake(scenario, sign_in=SignIn(sign_in))
